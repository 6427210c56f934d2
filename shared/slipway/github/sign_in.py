"""Sign in to GitHub: as an App installation, or with a token."""

import base64
import binascii

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from github import Auth

from slipway.config import GitHubCredentials
from slipway.errors import ConfigurationError
from slipway.observability import register_secret


def authenticate(
    credentials: GitHubCredentials, installation_id: int | str | None = None
) -> Auth.Auth:
    """Sign in as an App installation, or with a token.

    Args:
        credentials: the secret.
        installation_id: the repository's own installation; None: the one that the secret names.

    Raises:
        ConfigurationError: the secret has neither; the text names the field.
    """
    if installation_id is not None:
        credentials = credentials.model_copy(update={"installation_id": installation_id})
    if app := app_of(credentials):
        auth, installation = app
        return auth.get_installation_auth(installation)
    if credentials.token:
        register_secret(credentials.token.get_secret_value())
        return Auth.Token(credentials.token.get_secret_value())
    raise ConfigurationError(
        "The GitHub secret is incomplete. It needs either 'app_id', 'installation_id' and "
        "'private_key', or 'token'."
    )


def app_of(credentials: GitHubCredentials) -> tuple[Auth.AppAuth, int] | None:
    """Sign in as the App itself; None if the secret does not describe an App.

    Returns:
        The sign-in, and the number of the installation.

    Raises:
        ConfigurationError: a field is wrong; the text names it.
    """
    if not (credentials.app_id and credentials.installation_id and credentials.private_key):
        return None
    key = credentials.private_key.get_secret_value()
    register_secret(key)
    pem = _pem(key)
    register_secret(pem)
    auth = Auth.AppAuth(_number("app_id", credentials.app_id), pem)
    return auth, _number("installation_id", credentials.installation_id)


def _number(field: str, value: int | str | None) -> int:
    text = str(value).strip()
    if text.isascii() and text.isdecimal():
        return int(text)
    which = "the App's numeric id, not its client id" if field == "app_id" else "a number"
    raise ConfigurationError(f"'{field}' in the GitHub secret must be {which}.")


def _pem(key: str) -> str:
    r"""Return the App's private key as PEM.

    Forms and files that accept only one line have it with a literal \n for each line, or in base64.
    """
    text = key.replace("\\r", "").replace("\\n", "\n").strip()
    try:
        if "-----BEGIN" not in text:
            text = base64.b64decode("".join(text.split()), validate=True).decode()
        if isinstance(load_pem_private_key(text.encode(), None), RSAPrivateKey):
            return text
    except (binascii.Error, ValueError, TypeError, UnsupportedAlgorithm):
        pass
    raise ConfigurationError(
        "'private_key' in the GitHub secret must be the RSA key from the .pem file that GitHub "
        "made for the App."
    )
