"""Model Port's runs and entities. Unknown fields are ignored."""

from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator, model_validator

_ENDED = {"SUCCESS", "FAILURE", "DECLINED"}
_OPEN = {"IN_PROGRESS", "WAITING_FOR_APPROVAL"}


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True, defer_build=True)


class Run(_Model):
    """A run of an action.

    https://docs.port.io/api-reference/get-an-action-run-details

    Attributes:
        id: `r_` and sixteen letters or digits.
        status: for example `IN_PROGRESS`. Port may have undocumented ones.
        action: the action's identifier.
        blueprint: the blueprint that the action belongs to; empty if unknown.
        entity: identifier of the entity that the run is about; None for one that creates it.
        status_label: what the run's page shows instead of the status.
        summary: the result on the run's page.
        link: links on the run's page.
        properties: the form's values by input identifier.
        created_by: Port's id of the user or credentials that executed the action; empty if unknown.
        impersonated_by: client id of the machine credentials that executed it in a person's name
            (`run_as`); empty if the person did.
        created_at: when it was executed; None if unknown.
        updated_at: when Port last changed it, for example by its own approval; None if unknown.
    """

    id: str
    status: str
    action: str
    blueprint: str = ""
    entity: str | None = None
    status_label: str | None = Field(None, alias="statusLabel")
    summary: str | None = None
    link: list[str] = []
    properties: dict[str, Any] = {}
    created_by: str = Field("", alias="createdBy")
    impersonated_by: str = Field("", alias="impersonatedBy")
    created_at: AwareDatetime | None = Field(None, alias="createdAt")
    updated_at: AwareDatetime | None = Field(None, alias="updatedAt")

    @field_validator("action", "blueprint", "entity", mode="before")
    @classmethod
    def _identifier_alone(cls, value: object) -> object:
        # A string in version v1 of the route, an object in v2.
        return value.get("identifier") if isinstance(value, dict) else value

    @field_validator("blueprint", mode="before")
    @classmethod
    def _blueprint_alone(cls, value: object) -> object:
        return (value.get("identifier") if isinstance(value, dict) else value) or ""

    @field_validator("created_by", "impersonated_by", mode="before")
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
        """Whether the run has a terminal status, after which it cannot change."""
        return self.status in _ENDED

    @property
    def status_is_known(self) -> bool:
        """Whether Port documents the status, so that its meaning is known."""
        return self.status in _ENDED | _OPEN


class User(_Model):
    """A person of the organisation.

    https://docs.port.io/api-reference/get-a-user

    Attributes:
        id: as in `createdBy`; empty if the answer lacks it.
        email: the address.
        status: `ACTIVE`, `INVITED`, `STAGED` or `DISABLED`; empty if the answer lacks it.
        teams: names and identifiers of the teams that the person is in.
        roles: names of roles.
    """

    id: str = ""
    email: str
    first_name: str = Field("", alias="firstName")
    last_name: str = Field("", alias="lastName")
    status: str = ""
    teams: list[str] = []
    roles: list[str] = []

    @model_validator(mode="before")
    @classmethod
    def _names_and_identifiers(cls, value: object) -> object:
        """Add a team's identifier to its name: a policy may use either."""
        if isinstance(value, str):
            # Requests to Port name a team's members in this form, and an answer might.
            return {"email": value}
        if not isinstance(value, dict):
            return value
        identifiers = value.get("teamsIdentifiers")
        named = [*_names(value.get("teams")), *_names(identifiers)]
        roles = _names(value.get("roles"))
        given = {name: value.get(name) or "" for name in ("id", "status")}
        for name in ("firstName", "lastName"):
            given[name] = found if isinstance(found := value.get(name), str) else ""
        return {**value, **given, "teams": list(dict.fromkeys(named)), "roles": roles}

    @property
    def name(self) -> str:
        """First and last name; empty if the answer lacks them."""
        return f"{self.first_name} {self.last_name}".strip()

    @property
    def active(self) -> bool:
        """Whether the person has signed in and is still active.

        https://docs.port.io/sso-rbac/users-and-teams/manage-users-teams
        """
        return self.status.casefold() in {"", "active"}


class Team(_Model):
    """A team with its members.

    https://docs.port.io/api-reference/get-a-team
    """

    users: list[User] = []

    @field_validator("users", mode="before")
    @classmethod
    def _empty_if_none(cls, value: object) -> object:
        return value or []


def _names(value: object) -> list[str]:
    """Return names, which some answers contain directly and some in objects."""
    items = value if isinstance(value, list) else []
    named = [item.get("name") if isinstance(item, dict) else item for item in items]
    return [name for name in named if isinstance(name, str)]


class Entity(_Model):
    """An entity of the catalogue.

    Attributes:
        updated_by: Port's id of the person or credentials that wrote it last; empty if unknown.
    """

    identifier: str
    blueprint: str = ""
    title: str | None = None
    properties: dict[str, Any] = {}
    relations: dict[str, Any] = {}
    updated_at: AwareDatetime | None = Field(None, alias="updatedAt")
    updated_by: str = Field("", alias="updatedBy")

    @field_validator("updated_by", mode="before")
    @classmethod
    def _empty_if_none(cls, value: object) -> object:
        return value or ""
