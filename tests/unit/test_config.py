"""Configuration: the environment variables that Terraform sets."""

import json
import os
import traceback

import boto3
import pytest
from slipway.config import (
    GitHubConfig,
    PortConfig,
    PortCredentials,
    load,
    read_previous_secret,
    read_secret,
)
from slipway.errors import ConfigurationError
from slipway.runs.run import RunConfig

pytestmark = pytest.mark.usefixtures("aws")
SECRET = "the-client-secret-of-more-than-32-bytes"


def test_environment_is_loaded_with_types() -> None:
    config = load(RunConfig)

    assert config.port_base_url == "https://port.test"
    assert config.port_signature == "if_present"
    assert config.run_url("r_1") == "https://app.port.test/organization/run?runId=r_1"
    assert config.page_of("acme/services") == "https://github.test/acme/services"


def test_github_com_links_do_not_lead_to_the_api(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("GITHUB_API_URL")

    assert load(GitHubConfig).page_of("acme/services") == "https://github.com/acme/services"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT_BASE_URL", "port.test"),
        ("PORT_BASE_URL", "https://port.test/"),
        ("PORT_SIGNATURE", "maybe"),
        ("PORT_SECRET_ID", ""),
    ],
)
def test_invalid_variable_is_named_with_the_fix(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationError, match=rf"{name}.*Apply the Terraform stack again"):
        load(RunConfig)


def test_missing_variables_are_all_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PORT_APP_URL")
    monkeypatch.delenv("RUNS_TABLE")

    with pytest.raises(ConfigurationError) as caught:
        load(RunConfig)

    assert "PORT_APP_URL" in str(caught.value)
    assert "RUNS_TABLE" in str(caught.value)


def test_loaded_configuration_is_not_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first = load(PortConfig)
    monkeypatch.setenv("PORT_BASE_URL", "https://other.test")

    assert load(PortConfig) is first
    assert os.environ["PORT_BASE_URL"] != first.port_base_url


def test_rotated_secret_is_returned_when_read_fresh() -> None:
    secrets = boto3.client("secretsmanager")
    secrets.create_secret(Name="rotated", SecretString=json.dumps(pair("first")))
    assert value_of("rotated") == "first" + SECRET
    secrets.put_secret_value(SecretId="rotated", SecretString=json.dumps(pair("second")))

    assert value_of("rotated") == "first" + SECRET
    fresh = read_secret(PortCredentials, "rotated", fresh=True)
    assert fresh.client_secret.get_secret_value() == "second" + SECRET
    previous = read_previous_secret(PortCredentials, "rotated")
    assert previous
    assert previous.client_secret.get_secret_value() == "first" + SECRET


def test_previous_secret_is_none_when_never_rotated() -> None:
    boto3.client("secretsmanager").create_secret(
        Name="first", SecretString=json.dumps(pair("first"))
    )

    assert read_previous_secret(PortCredentials, "first") is None


def test_previous_secret_of_another_shape_is_named_without_value() -> None:
    secrets = boto3.client("secretsmanager")
    secrets.create_secret(Name="mistyped", SecretString=SECRET)
    secrets.put_secret_value(SecretId="mistyped", SecretString=json.dumps(pair("second")))

    with pytest.raises(ConfigurationError, match="mistyped") as caught:
        read_previous_secret(PortCredentials, "mistyped")

    assert SECRET not in "".join(traceback.format_exception(caught.value))


def pair(prefix: str) -> dict[str, str]:
    return {"client_id": "id", "client_secret": prefix + SECRET}


def value_of(secret_id: str) -> str:
    return read_secret(PortCredentials, secret_id).client_secret.get_secret_value()


@pytest.mark.parametrize("text", [SECRET, f'{{"client_id": "{SECRET}"}}', f'["{SECRET}"]'])
def test_malformed_secret_is_named_without_its_value(text: str) -> None:
    name = f"odd-{abs(hash(text))}"
    boto3.client("secretsmanager").create_secret(Name=name, SecretString=text)

    with pytest.raises(ConfigurationError) as caught:
        read_secret(PortCredentials, name)

    assert name in str(caught.value)
    assert "client_id, client_secret" in str(caught.value)
    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_shown_credentials_hide_the_secret() -> None:
    credentials = PortCredentials.model_validate({"client_id": "id", "client_secret": SECRET})

    assert SECRET not in f"{credentials} {credentials!r} {credentials.model_dump()}"


@pytest.mark.parametrize("binary", [b"\xff\xfe", SECRET.encode()])
def test_binary_secret_is_named_without_its_value(binary: bytes) -> None:
    name = f"binary-{len(binary)}"
    boto3.client("secretsmanager").create_secret(Name=name, SecretBinary=binary)

    with pytest.raises(ConfigurationError, match=name) as caught:
        read_secret(PortCredentials, name)

    assert SECRET not in "".join(traceback.format_exception(caught.value))


def test_secret_without_a_value_is_a_configuration_error() -> None:
    boto3.client("secretsmanager").create_secret(Name="unfilled")

    with pytest.raises(ConfigurationError, match="unfilled"):
        read_secret(PortCredentials, "unfilled")


def test_configuration_loads_after_an_invalid_variable_is_fixed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PORT_SIGNATURE", "maybe")
    with pytest.raises(ConfigurationError):
        load(PortConfig)
    monkeypatch.setenv("PORT_SIGNATURE", "required")

    assert load(PortConfig).port_signature == "required"


def test_missing_secret_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError, match="absent"):
        read_secret(PortCredentials, "absent")
