"""The outsider: can reach `POST /reports`, and holds at most tokens that were not given to us.

Each attack sends what a caller without access to the services repository can have.
"""

import base64
import json
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from tests.unit.reports.github import (
    ANOTHER_KEY,
    GITHUBS_KEY,
    KEYS,
    WORKFLOW_REF,
    public_jwk,
)
from tests.unit.reports.installation import PULL, Installation, installed

pytestmark = [
    pytest.mark.waits,
    pytest.mark.filterwarnings("ignore:No application metrics to publish"),
]

YEAR_2100 = 4_102_444_800
THEIR_WORKFLOW = "mallory/services/.github/workflows/slipway-report.yml@refs/heads/main"


@pytest.fixture
def installation(aws: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    with installed(monkeypatch) as found:
        yield found


def refused(installation: Installation, token: str | None, reason: str) -> None:
    """Nothing is looked at, nothing is written, and the answer says why."""
    status, said = installation.ask(token)

    assert (status, said["error"]) == (401, reason)
    assert PULL not in installation.github.routes()
    assert installation.port.routes() == []
    assert installation.writes() == []


def test_right_token_is_taken(installation: Installation) -> None:
    # Without this, every attack below could fail for another reason than it should.
    assert installation.ask(installation.github.token())[0] == 200


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"exp": 1_700_000_000}, "ExpiredSignatureError"),
        ({"nbf": YEAR_2100}, "ImmatureSignatureError"),
        ({"iat": YEAR_2100}, "ImmatureSignatureError"),
        ({"aud": "https://github.com/acme"}, "InvalidAudienceError"),
        ({"aud": "https://reports.test/live"}, "InvalidAudienceError"),
        ({"iss": "https://token.actions.githubusercontent.com"}, "InvalidIssuerError"),
        *(
            ({name: None}, "MissingRequiredClaimError")
            for name in ("exp", "nbf", "iat", "aud", "iss", "repository_id", "workflow_ref")
        ),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else value,
)
def test_token_out_of_time_or_not_for_us_is_refused(
    installation: Installation, claims: dict[str, Any], reason: str
) -> None:
    refused(installation, installation.github.token(**claims), reason)


@pytest.mark.parametrize(
    "claims",
    [
        # Another repository, whatever it calls itself or its workflow.
        {"repository_id": "4712", "workflow_ref": THEIR_WORKFLOW, "repository": "mallory/services"},
        # One that took the name after the repository was renamed or deleted: names can return.
        {"repository_id": "4712"},
        {"workflow_ref": THEIR_WORKFLOW},
        {"workflow_ref": WORKFLOW_REF.upper()},
        {"workflow_ref": f"{WORKFLOW_REF}\n"},
        {"workflow_ref": [WORKFLOW_REF]},
        {"workflow_ref": f"x/{WORKFLOW_REF}"},
        {"repository_id": "47110"},
        {"repository_id": " 4711"},
    ],
    ids=json.dumps,
)
def test_token_of_another_repository_is_refused(
    installation: Installation, claims: dict[str, Any]
) -> None:
    status, said = installation.ask(installation.github.token(**claims))

    assert (status, said["error"] in {"repository", "workflow"}) == (401, True)
    assert PULL not in installation.github.routes()
    assert installation.port.routes() == []


def test_token_of_our_name_but_another_id_is_refused(installation: Installation) -> None:
    refused(installation, installation.github.token(repository_id="4712"), "repository")


def test_token_signed_with_another_key_is_refused(installation: Installation) -> None:
    refused(installation, installation.github.token(ANOTHER_KEY), "InvalidSignatureError")


@pytest.mark.parametrize("kid", ["githubs", ""])
def test_unsigned_token_is_refused(installation: Installation, kid: str) -> None:
    token = jwt.encode(installation.github.claims(), "", "none", headers={"kid": kid})
    reason = "InvalidAlgorithmError" if kid else "key"

    refused(installation, token, reason)


@pytest.mark.parametrize("form", ["pem", "jwk"])
def test_public_key_as_a_shared_secret_is_refused(installation: Installation, form: str) -> None:
    # Key confusion: a verifier that goes by the header takes RSA's public key for HMAC's secret.
    public = GITHUBS_KEY.public_key()
    secret = json.dumps(public_jwk(GITHUBS_KEY)).encode()
    if form == "pem":
        secret = public.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    header = {"alg": "HS256", "typ": "JWT", "kid": "githubs"}
    signed = b".".join(map(_encoded, (header, installation.github.claims())))
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(
        signed, secret
    )
    token = f"{signed.decode()}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"

    refused(installation, token, "InvalidAlgorithmError")


def _encoded(data: dict[str, Any]) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(data).encode()).rstrip(b"=")


@pytest.mark.parametrize("algorithm", ["RS384", "RS512", "PS256"])
def test_other_algorithm_of_the_right_key_is_refused(
    installation: Installation, algorithm: str
) -> None:
    token = installation.github.token(algorithm=algorithm)

    refused(installation, token, "InvalidAlgorithmError")


@pytest.mark.parametrize("header", ["jwk", "jku", "x5u", "kid"])
def test_key_that_the_token_brings_along_is_not_used(
    installation: Installation, header: str
) -> None:
    installation.github.script("GET /evil", (200, {"keys": [public_jwk(ANOTHER_KEY)]}, {}))
    brought: dict[str, Any] = {
        "jwk": public_jwk(ANOTHER_KEY),
        "jku": f"{installation.github.url}/evil",
        "x5u": f"{installation.github.url}/evil",
        "kid": "../../evil",
    }
    headers = {"kid": "githubs", header: brought[header]}
    token = jwt.encode(installation.github.claims(), ANOTHER_KEY, "RS256", headers=headers)

    status, _ = installation.ask(token)

    assert status == 401
    assert "GET /evil" not in installation.github.routes()
    assert installation.port.routes() == []


@pytest.mark.parametrize(
    "token",
    [None, "", "a.b.c", "....", "x" * 20_000, "eyJ" * 3000, "\x00.\x00.\x00", "e30.e30.", "ä.ö.ü"],
)
def test_what_is_no_token_is_refused(installation: Installation, token: str | None) -> None:
    status, _ = installation.ask(token)

    assert status == 401
    assert installation.port.routes() == []


def test_flood_of_unknown_keys_asks_github_once(installation: Installation) -> None:
    for number in range(50):
        token = installation.github.token(ANOTHER_KEY, kid=f"made-up-{number}")
        assert installation.ask(token)[0] == 401

    assert installation.github.asked(KEYS) == 1
    # And the right token counts all the same.
    assert installation.ask(installation.github.token())[0] == 200


def test_flood_of_other_workflows_asks_github_once(installation: Installation) -> None:
    for number in range(20):
        claims = {"workflow_ref": f"x/{number}/.github/workflows/slipway-report.yml@refs/heads/a"}
        assert installation.ask(installation.github.token(**claims))[0] == 401

    assert installation.github.routes().count("GET /repos/acme/services") == 1


def test_fork_cannot_have_its_pull_request_reported(installation: Installation) -> None:
    # Closing a pull request of a fork runs our workflow, with a token that is as good as any.
    fork = {"ref": "slipway/upscale_service/r_0123456789abcdef", "repo": {"id": 4712}}
    for head in (fork, {**fork, "repo": None}):
        installation.pull(head=head)

        status, said = installation.ask(installation.github.token())

        assert (status, said["error"]) == (409, "NothingToReport")
        assert "comes from another repository" in said["message"]
    assert installation.writes() == []
