"""Read an installation's configuration: a TOML file, or answers.

It has no secrets.
"""

import json
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from slipway.config import HttpUrl
from slipway.github.models import Place

from scripts.installing.stopped import Stopped

Email = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")]
Source = Literal["port-hosted", "webhook"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Aws(_Part):
    """AWS account, which guards against wrong credentials, and the state."""

    account: Annotated[str, StringConstraints(pattern=r"^\d{12}$")]
    region: Annotated[str, StringConstraints(min_length=1)]
    # Bucket of Terraform's state; None: a file in the installation's folder.
    state_bucket: str | None = None


class Port(_Part):
    """The Port organisation."""

    base_url: HttpUrl = "https://api.port.io"
    app_url: HttpUrl = "https://app.port.io"
    org_id: str | None = None
    # Secret in Secrets Manager with client_id and client_secret. The operator is asked if the
    # environment has none.
    secret_id: str | None = None


class GitHub(_Part):
    """The repositories, by their key in the catalog."""

    api_url: HttpUrl = "https://api.github.com"
    repositories: dict[str, Place] = Field(min_length=1)
    team_reviewers: dict[str, list[str]] = Field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The repositories, each once."""
        return list(dict.fromkeys(each.name for each in self.repositories.values()))

    @property
    def organization(self) -> str:
        """Owner of the first repository, and so of the App."""
        return self.names[0].partition("/")[0]

    @property
    def asks_teams(self) -> bool:
        """Whether a team is asked for reviews."""
        reviewers = [each for listed in self.team_reviewers.values() for each in listed]
        return any(each.startswith("team:") for each in reviewers)


class Config(_Part):
    """An installation."""

    name_prefix: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{1,22}[a-z0-9]$")] = (
        "slipway"
    )
    aws: Aws
    port: Port = Port()
    github: GitHub
    source: Source = "port-hosted"
    approvers: list[Email] = Field(default_factory=list)
    alarm_emails: list[Email] = Field(default_factory=list)
    # Further inputs of the module; they override the inputs derived from other settings.
    terraform: dict[str, Any] = Field(default_factory=dict)


def read_config(file: Path) -> Config:
    """Read a configuration.

    Raises:
        Stopped: it cannot be read, or a setting is wrong.
    """
    try:
        return Config.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise Stopped(
            f"The configuration cannot be read: {error.strerror}.",
            str(file),
            "Name another file with --config, or leave --config out to be asked.",
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise Stopped(
            f"The configuration is not TOML: {error}.", str(file), "Correct the line."
        ) from None
    except ValidationError as error:
        fault = error.errors()[0]
        setting = ".".join(map(str, fault["loc"]))
        raise Stopped(
            f"The configuration has a fault at '{setting}': {fault['msg']}.",
            str(file),
            "Correct it; docs/install.md lists the settings.",
        ) from None


def ask(file: Path, account: str, region: str | None) -> Config:
    """Ask for settings without a default, and save them.

    Args:
        file: where it is written.
        account: of the available AWS credentials.
        region: of the available AWS settings.

    Raises:
        Stopped: an answer is wrong.
    """
    aws = {
        "account": typer.prompt("AWS account", default=account),
        "region": typer.prompt("AWS region", default=region),
    }
    port = {"base_url": typer.prompt("Port's API", default="https://api.port.io")}
    if ".us." in port["base_url"]:
        port["app_url"] = "https://app.us.port.io"
    source = typer.prompt("Source of runs: port-hosted or webhook", default="port-hosted")
    repository = typer.prompt("Services repository (owner/name)")
    emails = typer.prompt("Approvers' e-mail addresses (comma-separated)", default="")
    approvers = [each.strip() for each in emails.split(",") if each.strip()]
    lines = [
        "# Slipway's installation: docs/install.md lists the settings. No secret belongs here.",
        *_assigned(source=source, approvers=approvers),
        "[aws]",
        *_assigned(**aws),
        "[port]",
        *_assigned(**port),
        "[github.repositories.services]",
        *_assigned(name=repository),
    ]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return read_config(file)


def _assigned(**values: object) -> list[str]:
    # These values look the same in TOML and JSON.
    return [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in values.items()]
