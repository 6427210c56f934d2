"""Check Port: its credentials, and the brokers of its Kafka."""

from dataclasses import dataclass, field
from typing import Any

from slipway.config import PortCredentials
from slipway.errors import ConfigurationError, PortError, PortUnavailable
from slipway.port.client import PortClient

from scripts.installing.config import Config
from scripts.installing.stopped import Stopped
from scripts.port_setup import recorded_installation


@dataclass(frozen=True)
class Organization:
    """The organisation.

    Attributes:
        number: its id.
        credentials: client_id and client_secret.
        brokers: of its Kafka; None for another source.
        kafka: username and password; empty for another source.
    """

    number: str
    credentials: dict[str, str] = field(repr=False)
    brokers: list[str] = field(default_factory=list)
    kafka: dict[str, str] = field(default_factory=dict, repr=False)


def find_organization(config: Config, credentials: dict[str, str]) -> Organization:
    """Verify the credentials, and ask for what the source needs.

    Raises:
        Stopped: Port refuses them, or they belong to another organisation, or it has no Kafka.
    """
    client = _client(config, credentials)
    number = str(_asked(client, config, "/v1/organization")["organization"]["id"])
    if config.port.org_id not in {None, number}:
        raise Stopped(
            f"These Port credentials belong to organisation {number}; the configuration names "
            f"{config.port.org_id}.",
            "port.org_id",
            "Use the other organisation's credentials (Port: … → Credentials), or correct it.",
        )
    if config.source != "port-hosted":
        return Organization(number, credentials)
    found = _asked(client, config, "/v1/kafka-credentials").get("credentials")
    kafka = found if isinstance(found, dict) else {}
    brokers = [str(each) for each in kafka.get("brokers") or []]
    if not (brokers and kafka.get("username") and kafka.get("password")):
        raise Stopped(
            "Port has no Kafka for this organisation.",
            f"organisation {number}",
            'Ask Port\'s support for it, or set source = "webhook".',
        )
    signing = {name: str(kafka[name]) for name in ("username", "password")}
    return Organization(number, credentials, brokers, signing)


def check_owner(config: Config, organization: Organization, installation: str) -> None:
    """Check that no other installation owns the actions in Port.

    Raises:
        Stopped: another installation owns them: both would run each request.
    """
    prefix = str(config.terraform.get("identifier_prefix", ""))
    owner = recorded_installation(_client(config, organization.credentials), prefix)
    if owner not in {"", installation}:
        raise Stopped(
            f"The actions in Port belong to the installation {owner}.",
            f"organisation {organization.number}",
            "Set another terraform.identifier_prefix. If that installation is gone, run "
            f"INSTALLATION={installation} scripts/port_setup --apply --take-over",
        )


def _client(config: Config, credentials: dict[str, str]) -> PortClient:
    validated = PortCredentials.model_validate(credentials)
    return PortClient(config.port.base_url, lambda _fresh: validated)


def _asked(client: PortClient, config: Config, path: str) -> dict[str, Any]:
    where = config.port.base_url
    try:
        return client.request("GET", path)
    except PortError as error:
        cure = (
            "Check PORT_CLIENT_ID and PORT_CLIENT_SECRET (Port: … → Credentials), and that "
            "port.base_url is your organisation's region."
        )
        raise Stopped(f"Port refused: {error}", where, cure) from None
    except (PortUnavailable, ConfigurationError) as error:
        cure = "Check port.base_url and that this network may reach it, then run it again."
        raise Stopped(f"Port does not answer: {error}", where, cure) from None
