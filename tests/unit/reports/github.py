"""A GitHub that signs tokens, seen from outside: a key set and a repository."""

import json
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.scripted import ScriptedServer

AUDIENCE = "https://reports.test/live/reports"
REPOSITORY_ID = "4711"
WORKFLOW_REF = "acme/services/.github/workflows/slipway-report.yml@refs/heads/main"
KEYS = "GET /_services/token/.well-known/jwks"
HOME = "GET /repos/acme/services"
GITHUBS_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ANOTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def public_jwk(key: rsa.RSAPrivateKey, kid: str = "githubs", **fields: Any) -> dict[str, Any]:
    """Return a key as the key set publishes it."""
    text = jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key())
    return {**json.loads(text), "kid": kid, "alg": "RS256", "use": "sig", **fields}


class TokenGitHub(ScriptedServer):
    """Publishes keys and the services repository, and counts the requests."""

    def __init__(self) -> None:
        super().__init__()
        self.issuer = f"{self.url}/_services/token"
        self.script(KEYS, (200, {"keys": [public_jwk(GITHUBS_KEY)]}, {}))
        home = {"id": 4711, "full_name": "acme/services", "default_branch": "main"}
        self.script(HOME, (200, {**home, "url": f"{self.url}/repos/acme/services"}, {}))

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Make the claims of the report workflow; None omits a claim."""
        now = int(time.time())
        said = {
            "jti": "example-id",
            "sub": "repo:acme@1/services@4711:pull_request",
            "aud": AUDIENCE,
            "iss": self.issuer,
            "nbf": now - 600,
            "iat": now,
            "exp": now + 300,
            "repository": "acme/services",
            "repository_id": REPOSITORY_ID,
            "event_name": "pull_request_target",
            "workflow_ref": WORKFLOW_REF,
            "ref": "refs/heads/main",
            "run_id": "1",
            "actor": "octocat",
        }
        return {name: value for name, value in {**said, **changes}.items() if value is not None}

    def token(
        self, key: Any = GITHUBS_KEY, algorithm: str = "RS256", kid: str = "githubs", **changes: Any
    ) -> str:
        """Make a token, by default that of the report workflow."""
        return jwt.encode(self.claims(**changes), key, algorithm, headers={"kid": kid})

    def asked(self, route: str) -> int:
        return self.routes().count(route)
