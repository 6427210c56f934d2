"""Verify the caller of a report: the OIDC token of a GitHub workflow.

Slipway trusts a caller only if GitHub itself states that the caller is the workflow file of our
default branch. Even then the caller can only have Slipway check a pull request. A token that is
sent again within its few minutes causes one more check and no harm, so used tokens are not
recorded.

The claims and the issuers are those of https://docs.github.com/en/actions/reference/security/oidc

Since 2025-12-08 GitHub reads the file of a `pull_request_target`, and so its `workflow_ref`, from
the default branch, regardless of the pull request's base branch:
https://github.blog/changelog/2025-11-07-actions-pull_request_target-and-environment-branch-protections-changes/
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jwt
import requests

from slipway.errors import GitHubUnavailable, TokenRejected

REPORT_WORKFLOW = ".github/workflows/slipway-report.yml"
EVENTS = frozenset({"pull_request_target", "workflow_dispatch"})
# A token is valid for minutes: https://docs.github.com/actions/concepts/security/openid-connect
_CLOCKS_APART_SECONDS = 10
_REQUIRED = ["aud", "exp", "iat", "iss", "nbf", "repository_id", "event_name", "workflow_ref"]
_RENEWED_SECONDS = 60.0
_LIVES_SECONDS = 3600.0
_TIMEOUT_SECONDS = 5
_LONGEST_TOKEN = 16_384


class Renewed[T]:
    """A cached lookup: kept for an hour, repeated at most once a minute.

    A value that does not match is looked up again, but not once per caller: callers may invent
    values that never match.

    Args:
        look_up: looks the value up.
        clock: monotonic clock, in seconds.
    """

    def __init__(self, look_up: Callable[[], T], clock: Callable[[], float]) -> None:
        self._look_up = look_up
        self._clock = clock
        self._value: T | None = None
        self._looked_up_at = self._tried_at = float("-inf")

    def get(self, fits: Callable[[T], bool]) -> T | None:
        """Return the matching value; None if even a fresh one does not match.

        Raises:
            GitHubUnavailable: no value is cached, and the lookup fails now.
        """
        now = self._clock()
        fresh = now - self._looked_up_at < _LIVES_SECONDS
        if fresh and self._value is not None and fits(self._value):
            return self._value
        if now - self._tried_at >= _RENEWED_SECONDS:
            self._tried_at = now
            self._value = self._look_up()
            self._looked_up_at = now
        elif not fresh:
            raise GitHubUnavailable("GitHub did not answer a moment ago; retry in a minute.")
        return self._value if self._value is not None and fits(self._value) else None


@dataclass(frozen=True)
class Home:
    """A repository of this installation in its current state on GitHub.

    Attributes:
        id: its unique number, which is never reused.
        full_name: `owner/name`.
        default_branch: the branch whose workflow file asks for reports.
    """

    id: int
    full_name: str
    default_branch: str

    @property
    def workflow_ref(self) -> str:
        """The `workflow_ref` of our file on the default branch."""
        return f"{self.full_name}/{REPORT_WORKFLOW}@refs/heads/{self.default_branch}"


class Tokens:
    """Verifies GitHub's tokens.

    Args:
        issuer: as `https://token.actions.githubusercontent.com`.
        audience: of the token: this installation.
        find_homes: looks the repositories up.
        clock: monotonic clock, in seconds.
    """

    def __init__(
        self,
        issuer: str,
        audience: str,
        find_homes: Callable[[], tuple[Home, ...]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = Renewed(lambda: _fetch_keys(issuer), clock)
        self._homes = Renewed(find_homes, clock)

    def verify(self, token: str) -> tuple[dict[str, Any], Home]:
        """Verify a token; return its claims and the calling repository.

        Raises:
            TokenRejected: it is not GitHub's, not for us, expired, or of another workflow.
            GitHubUnavailable: GitHub's keys or the repository cannot be read now.
        """
        claims = self._decode(token)
        if str(claims["event_name"]) not in EVENTS:
            raise TokenRejected("event", f"of the event {claims['event_name']!r}", claims)
        ref = claims["workflow_ref"]
        homes = self._homes.get(lambda homes: any(home.workflow_ref == ref for home in homes))
        home = next((home for home in homes or () if home.workflow_ref == ref), None)
        if home is None:
            raise TokenRejected("workflow", f"of the workflow {claims['workflow_ref']!r}", claims)
        if str(claims["repository_id"]) != str(home.id):
            raise TokenRejected(
                "repository", f"of the repository {claims['repository_id']!r}", claims
            )
        return claims, home

    def _decode(self, token: str) -> dict[str, Any]:
        if not token or len(token) > _LONGEST_TOKEN:
            raise TokenRejected("malformed", "missing or too long")
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            # Key and algorithm are our choice, never the token's own header.
            keys = self._keys.get(lambda keys: kid in keys) if isinstance(kid, str) else None
            if keys is None:
                raise TokenRejected("key", "signed with a key that GitHub does not publish")
            claims: dict[str, Any] = jwt.decode(
                token,
                keys[str(kid)].key,
                algorithms=["RS256"],
                audience=self._audience,
                issuer=self._issuer,
                leeway=_CLOCKS_APART_SECONDS,
                options={"require": _REQUIRED, "strict_aud": True},
            )
        except jwt.PyJWTError as error:
            # The error's text may quote the token.
            raise TokenRejected(type(error).__name__, "not valid for this installation") from None
        except (ValueError, RecursionError, OverflowError):
            raise TokenRejected("malformed", "not a JSON Web Token") from None
        return claims


def _fetch_keys(issuer: str) -> dict[str, jwt.PyJWK]:
    """Read GitHub's public keys by `kid`; only those that can verify RS256."""
    url = f"{issuer}/.well-known/jwks"
    try:
        answer = requests.get(url, timeout=_TIMEOUT_SECONDS, allow_redirects=False)
        answer.raise_for_status()
        found = jwt.PyJWKSet.from_dict(answer.json()).keys
    except (requests.RequestException, jwt.PyJWTError, ValueError, AttributeError) as error:
        raise GitHubUnavailable(
            f"GitHub's keys could not be read from {url} ({type(error).__name__})."
        ) from None
    return {
        key.key_id: key
        for key in found
        if key.key_id and key.key_type == "RSA" and key.algorithm_name == "RS256"
    }
