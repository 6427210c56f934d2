"""Port's runs and entities, as far as Slipway looks at them. Unknown fields are ignored."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

RunStatus = Literal["IN_PROGRESS", "SUCCESS", "FAILURE", "WAITING_FOR_APPROVAL", "DECLINED"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class Run(_Model):
    """A run of an action.

    https://docs.port.io/api-reference/get-an-action-run-details
    """

    id: str
    status: RunStatus
    action: str
    status_label: str | None = Field(None, alias="statusLabel")
    summary: str | None = None
    link: list[str] = []
    properties: dict[str, Any] = {}
    created_by: str = Field("", alias="createdBy")

    @field_validator("action", mode="before")
    @classmethod
    def _identifier_of_action(cls, value: object) -> object:
        # A string in version v1 of the route, an object in v2.
        return value.get("identifier") if isinstance(value, dict) else value

    @field_validator("created_by", mode="before")
    @classmethod
    def _empty_if_none(cls, value: object) -> object:
        return value or ""

    @field_validator("link", mode="before")
    @classmethod
    def _links_as_list(cls, value: object) -> object:
        if value is None:
            return []
        return [value] if isinstance(value, str) else value

    @property
    def ended(self) -> bool:
        """Whether the run has a terminal status, after which nothing of it can change."""
        return self.status in {"SUCCESS", "FAILURE", "DECLINED"}


class User(_Model):
    """A person of the organisation.

    https://docs.port.io/api-reference/get-a-user

    Attributes:
        id: what Port writes into `createdBy`.
        email: the address.
        teams: names, or identifiers, of the teams that the person is in.
    """

    id: str = ""
    email: str
    teams: list[str] = []

    @field_validator("teams", mode="before")
    @classmethod
    def _names_of_teams(cls, value: object) -> object:
        # Objects with a name in some answers, names alone in others.
        if not isinstance(value, list):
            return []
        return [item.get("name") if isinstance(item, dict) else item for item in value]


class Entity(_Model):
    """An entity of the catalogue."""

    identifier: str
    blueprint: str = ""
    title: str | None = None
    properties: dict[str, Any] = {}
    relations: dict[str, Any] = {}
    updated_at: str | None = Field(None, alias="updatedAt")
