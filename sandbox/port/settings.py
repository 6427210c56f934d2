"""What the server is started with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

# The first 32 bytes of the client secret are the AES-256 key of secret inputs.
# https://docs.port.io/actions-and-automations/create-self-service-experiences/setup-ui-for-action/user-inputs/secret
KEY_BYTES = 32


@dataclass(frozen=True)
class Settings:
    """Settings of one server, which serves one organisation.

    Attributes:
        state_dir: folder of the SQLite file; it is created if it is missing.
        client_id: the organisation's client id.
        client_secret: its secret, at least 32 bytes long; also signs messages and encrypts inputs.
        org_id: the organisation's id, and the prefix of its topics.
        org_name: the organisation's name for people.
        extra_clients: further machine credentials, id to secret.
        user_secret: what every user signs in with; a user's client id is the e-mail address.
        app_url: where the web portal is.
        kafka_brokers: what `GET /v1/kafka-credentials` tells.
        kafka_username: the same.
        kafka_password: the same.
        token_lifetime: seconds for which an access token is valid.
        sign_messages: put signed `headers` into the messages of action runs.
        change_log: publish changes on `ORG_ID.change.log`, as Port did until 2026-07-13. Otherwise
            `changelogDestination` is refused.
        run_exhausted: `strict` refuses a PATCH of a finished run, `lax` accepts it (Port's own
            behaviour is not documented).
        rate_limit: requests for each credential in five minutes; the entities API has more.
        entities_rate_limit: the same for the entities API.
    """

    state_dir: Path
    client_id: str
    client_secret: str
    org_id: str = "org_sandbox"
    org_name: str = "Sandbox"
    extra_clients: Mapping[str, str] = field(default_factory=dict)
    user_secret: str = "sandbox"  # noqa: S105  the documented default of a server on 127.0.0.1
    app_url: str = "http://127.0.0.1:3100"
    kafka_brokers: tuple[str, ...] = ("127.0.0.1:9092",)
    kafka_username: str = "org_sandbox"
    kafka_password: str = "sandbox"  # noqa: S105  the same
    token_lifetime: int = 10_800
    sign_messages: bool = False
    change_log: bool = False
    run_exhausted: Literal["strict", "lax"] = "strict"
    rate_limit: int = 15_000
    entities_rate_limit: int = 35_000

    def __post_init__(self) -> None:
        if len(self.client_secret.encode()) < KEY_BYTES:
            raise ValueError(f"The client secret must have at least {KEY_BYTES} bytes.")

    @property
    def runs_topic(self) -> str:
        """The topic of action runs."""
        return f"{self.org_id}.runs"

    @property
    def change_log_topic(self) -> str:
        """The topic of changes in the catalogue, which Port has withdrawn."""
        return f"{self.org_id}.change.log"
