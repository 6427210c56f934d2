"""The OpenID Connect tokens that jobs of workflows are given.

Issuer, key set and claims as on GitHub Enterprise Server:
https://docs.github.com/en/enterprise-server@latest/actions/reference/security/oidc
The subject is the immutable one of repositories that are new:
https://docs.github.com/en/actions/reference/security/oidc#immutable-subject-claims
"""

import hashlib
import json
import os
import secrets
import threading
import time
from functools import cached_property
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

PREFIX = "/_services/token"
REQUESTS = "/_services/pipelines/idtoken"
# In the documentation's example a token counts from ten minutes before its issue to five after.
BEFORE_SECONDS, AFTER_SECONDS = 600, 300


class IdTokens:
    """Signs tokens, and knows which running jobs may ask for one.

    Args:
        state: the server's folder, which keeps the key.
        base_url: where the server listens.
    """

    def __init__(self, state: Path, base_url: str) -> None:
        self.issuer = f"{base_url}{PREFIX}"
        self._file = state / "oidc.pem"
        self._lock = threading.Lock()
        self._jobs: dict[str, dict[str, Any]] = {}

    def open(self, claims: dict[str, Any]) -> str:
        """Let a job ask for tokens with these claims; returns what it must show for one."""
        token = secrets.token_urlsafe(32)
        with self._lock:
            self._jobs[token] = claims
        return token

    def close(self, token: str) -> None:
        """A job has ended."""
        with self._lock:
            self._jobs.pop(token, None)

    def issue(self, token: str, audience: str) -> str | None:
        """Return a token for a job; None if no running job has shown this.

        Args:
            token: what the job shows.
            audience: whom the token is for; empty: the default, the repository owner's page.
        """
        with self._lock:
            claims = self._jobs.get(token)
        return None if claims is None else self.sign({**claims, "aud": audience or claims["aud"]})

    def sign(self, claims: dict[str, Any]) -> str:
        """Sign claims as GitHub does: with the times, an id and the issuer, unless they say."""
        now = int(time.time())
        times = {"nbf": now - BEFORE_SECONDS, "iat": now, "exp": now + AFTER_SECONDS}
        whole = {"jti": secrets.token_hex(16), "iss": self.issuer, **times, **claims}
        return jwt.encode(whole, self._key, algorithm="RS256", headers={"kid": self._kid})

    def key_set(self) -> dict[str, Any]:
        """Return the public key, as `/.well-known/jwks` shows it."""
        algorithm = jwt.algorithms.RSAAlgorithm(jwt.algorithms.RSAAlgorithm.SHA256)
        key = json.loads(algorithm.to_jwk(self._key.public_key()))
        return {"keys": [{**key, "kid": self._kid, "alg": "RS256", "use": "sig"}]}

    def configuration(self) -> dict[str, Any]:
        """Return what `/.well-known/openid-configuration` shows."""
        return {
            "issuer": self.issuer,
            "jwks_uri": f"{self.issuer}/.well-known/jwks",
            "subject_types_supported": ["public", "pairwise"],
            "response_types_supported": ["id_token"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid"],
        }

    @cached_property
    def _key(self) -> rsa.RSAPrivateKey:
        if not self._file.exists():
            key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
            text = key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            with os.fdopen(os.open(self._file, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
                file.write(text)
        kept = serialization.load_pem_private_key(self._file.read_bytes(), None)
        assert isinstance(kept, rsa.RSAPrivateKey)  # noqa: S101 - written above
        return kept

    @cached_property
    def _kid(self) -> str:
        public = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return hashlib.sha256(public).hexdigest()[:40]


def job_claims(github: dict[str, Any], *, private: bool, environment: str) -> dict[str, Any]:
    """Return the claims of a job, by its `github` context.

    Args:
        github: the context.
        private: whether the repository is.
        environment: the job's environment; empty: none.
    """
    owner, name = github["repository"].split("/")
    subject = f"ref:{github['ref']}"
    if environment:
        subject = f"environment:{environment.replace(':', '%3A')}"
    elif github["event_name"].startswith("pull_request"):
        subject = "pull_request"
    home = f"{owner}@{github['repository_owner_id']}/{name}@{github['repository_id']}"
    same = (
        "actor", "actor_id", "base_ref", "event_name", "head_ref", "ref", "ref_type", "repository",
        "repository_id", "repository_owner", "repository_owner_id", "run_attempt", "run_id",
        "run_number", "sha", "workflow", "workflow_ref", "workflow_sha",
    )  # fmt: skip
    return {
        "sub": f"repo:{home}:{subject}",
        "aud": f"{github['server_url']}/{owner}",
        **{name: github[name] for name in same},
        "job_workflow_ref": github["workflow_ref"],
        "job_workflow_sha": github["workflow_sha"],
        "repository_visibility": "private" if private else "public",
        "runner_environment": "self-hosted",
        **({"environment": environment} if environment else {}),
    }
