"""Accepted credentials of GitHub, and how an error names a wrong field."""

import base64
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from github import Auth
from slipway.config import GitHubCredentials
from slipway.errors import ConfigurationError
from slipway.github.sign_in import app_of, authenticate


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


@pytest.fixture(scope="module")
def key() -> str:
    return pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))


def app(key: str, **fields: object) -> GitHubCredentials:
    return GitHubCredentials.model_validate(
        {"app_id": 1, "installation_id": 2, "private_key": key, **fields}
    )


@pytest.mark.parametrize(
    "written",
    [
        str,
        lambda pem: pem.replace("\n", "\\n"),
        lambda pem: pem.replace("\n", "\\r\\n"),
        lambda pem: pem.replace("\n", "\r\n"),
        lambda pem: base64.b64encode(pem.encode()).decode(),
        lambda pem: base64.encodebytes(pem.encode()).decode(),
        lambda pem: f"  {pem}\n\n",
    ],
    ids=[
        "as given",
        "literal LF",
        "literal CRLF",
        "CRLF",
        "base64",
        "lines of base64",
        "space",
    ],
)
def test_app_key_is_read_in_every_format(key: str, written: Callable[[str], str]) -> None:
    found = app_of(app(written(key)))

    assert found is not None
    auth, installation = found
    assert auth.token.count(".") == 2  # signed
    assert installation == 2


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"app_id": "Iv23liABCDEFGHIJKLMN"}, "'app_id' .* numeric id, not its client id"),
        ({"app_id": "Iv1.8a61f9b3a7aba766"}, "'app_id'"),
        ({"installation_id": "acme"}, "'installation_id'"),
        ({"private_key": "SHA256:abc"}, "'private_key'"),
        ({"private_key": "-----BEGIN RSA PRIVATE KEY-----\nx"}, "'private_key'"),
        ({"private_key": pem(ec.generate_private_key(ec.SECP256R1()))}, "'private_key'"),
    ],
)
def test_wrong_field_is_named_in_one_sentence(key: str, fields: dict[str, str], field: str) -> None:
    with pytest.raises(ConfigurationError, match=field) as caught:
        authenticate(app(key, **fields))

    said = str(caught.value)
    assert said.endswith(".")
    assert said.count(". ") == 0
    assert all(value not in said for value in fields.values())


def test_numbers_may_be_written_as_text(key: str) -> None:
    assert isinstance(
        authenticate(app(key, app_id="1", installation_id="2\n")), Auth.AppInstallationAuth
    )


def test_incomplete_secret_is_named() -> None:
    with pytest.raises(ConfigurationError, match="'app_id', 'installation_id'"):
        authenticate(GitHubCredentials(app_id=1))
