"""Shared by the tests of the doctor: an installation on a scripted server."""

import json
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from scripts.checks.result import Installation
from tests.scripted import ScriptedServer


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer().running() as running:
        running.script(
            "POST /v1/auth/access_token",
            (200, {"ok": True, "accessToken": "t", "expiresIn": 3600}, {}),
        )
        yield running


@pytest.fixture
def installation(server: ScriptedServer) -> Installation:
    return Installation(
        {
            "PORT_BASE_URL": server.url,
            "PORT_CLIENT_ID": "id",
            "PORT_CLIENT_SECRET": "a-long-secret",
            "PORT_ORG_ID": "org_1",
            "GITHUB_API_URL": server.url,
            "GITHUB_TOKEN": "ghp_" + "a" * 36,
            "GITHUB_REPOSITORIES": json.dumps({"services": {"name": "acme/services"}}),
            "AWS_ENDPOINT_URL": server.url,
            "AWS_REGION": "eu-west-1",
        }
    )


@pytest.fixture(scope="session")
def key() -> str:
    """Return the private key of an App."""
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return made.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    ).decode()
