"""Read the policy: required approvals, and the installation's lists.

It is one document in S3, which Terraform writes; see `docs/approvals.md`.
"""

import string
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    model_validator,
)

from slipway.errors import UserError
from slipway.github.models import Place

Email = Annotated[str, StringConstraints(pattern=r"^[^@\s]+@[^@\s]+$", max_length=254)]
Team = Annotated[str, StringConstraints(min_length=1, max_length=200)]
ANY = "*"
# Approvals needed for a request of machine credentials: one approver may hold the credentials.
MACHINE_COUNT = 2
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Approvers(_Model):
    """Who must approve, and how long they have.

    Attributes:
        emails: people who may decide.
        teams: Port teams whose members may decide.
        count: how many different people must approve. One decline ends the request.
        expires_after_seconds: how long a request waits.
        remind_before_seconds: how long before its end the approvers are reminded; None: never.
    """

    emails: tuple[Email, ...] = ()
    teams: tuple[Team, ...] = ()
    count: int = Field(1, ge=1, le=10)
    expires_after_seconds: int = Field(86_400, ge=5, le=30 * 86_400)
    remind_before_seconds: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _reminds_before_the_end(self) -> "Approvers":
        if (self.remind_before_seconds or 0) >= self.expires_after_seconds:
            raise ValueError("remind_before_seconds must be less than expires_after_seconds")
        return self


class Requirement(_Model):
    """What a change needs.

    Attributes:
        approval: who must approve; None: no approval is needed.
        auto_merge: whether Slipway merges the pull request itself.
    """

    approval: Approvers | None = None
    auto_merge: bool = False


class Rule(Requirement):
    """A requirement, and the changes that it applies to; `*` means all.

    Attributes:
        actions: actions of the catalog.
        environments: environments, as `environment` of `resource.yaml` gives them.
    """

    actions: frozenset[str]
    environments: frozenset[str]

    def fits(self, action: str, environment: str) -> bool:
        """Return whether the rule matches this change."""
        return bool({action, ANY} & self.actions) and bool({environment, ANY} & self.environments)


class Policy(_Model):
    """The whole document.

    Attributes:
        schema_version: version of this format.
        domain_aliases: e-mail domain → the domain that it is an alias of.
        repositories: key in the catalog → repository; Slipway changes no others.
        limits: action of the catalog → its `.limits`, before the defaults of `action.yaml`.
        settings: `.settings` of the catalog, before the defaults of `resource.yaml`.
        rules: the first match decides.
        default: what a change without a matching rule needs.
        approver_principals: IAM role → e-mail address of the only person who may assume it.
        approver_accounts: other AWS accounts whose Identity Center roles count as
            people.
        team_reviewers: Port team → GitHub users and teams; a team is written `team:<slug>`.
        own_actions: action → alias of the function that reads its runs.
        own_automations: automations whose messages Slipway receives.
        without_person: what a change by machine credentials needs, if it needs an approval:
            `MACHINE_COUNT` must approve, or it is refused.
    """

    schema_version: Literal[1]
    domain_aliases: dict[str, str] = {}
    repositories: dict[str, Place] = Field(min_length=1)
    limits: dict[str, dict[str, JsonValue]] = {}
    settings: dict[str, JsonValue] = {}
    rules: tuple[Rule, ...] = ()
    default: Requirement
    approver_principals: dict[str, str] = {}
    approver_accounts: frozenset[str] = frozenset()
    team_reviewers: dict[str, list[str]] = {}
    own_actions: dict[str, str]
    own_automations: frozenset[str] = frozenset()
    without_person: Literal["two_approvers", "refuse"] = "two_approvers"

    @model_validator(mode="after")
    def _default_names_an_approver(self) -> "Policy":
        if self.default.approval is None:
            raise ValueError("default must have an approval: it applies to changes without a rule")
        return self

    def requirement(self, action: str, *environments: str) -> Requirement:
        """Return what a change needs.

        A change that matches no rule always needs an approval.

        Args:
            action: the action.
            environments: of the change; the requirements of all of them apply.
        """
        needed = [self._requirement(action, environment) for environment in environments]
        return reduce(_stricter, needed) if needed else self.default

    def _requirement(self, action: str, environment: str) -> Requirement:
        for rule in self.rules:
            if rule.fits(action, environment):
                return Requirement(approval=rule.approval, auto_merge=rule.auto_merge)
        return self.default

    def place(self, key: str) -> Place:
        """Return the repository of a key.

        Raises:
            UserError: the key does not exist.
        """
        if key not in self.repositories:
            raise UserError(
                f"'{key[:100]}' is not a repository of this installation. Its repositories are: "
                f"{', '.join(self.repositories)}."
            )
        return self.repositories[key]

    def place_of(self, row: Mapping[str, Any]) -> Place | None:
        """Return the repository that a row of the ledger names.

        Returns:
            None if the row names none, or if its key was removed.
        """
        return self.repositories.get(str(row.get("repository")))

    def places(self) -> list[Place]:
        """Return the repositories, each once: several keys may name one."""
        return list({place.name.casefold(): place for place in self.repositories.values()}.values())

    def keys_of(self, place: Place) -> tuple[str, ...]:
        """Return the keys of a repository: several may name it."""
        name = place.name.casefold()
        return tuple(key for key, one in self.repositories.items() if one.name.casefold() == name)

    def emails(self) -> list[str]:
        """Return all addresses that are notified of requests."""
        asked = (requirement.approval for requirement in (self.default, *self.rules))
        return sorted({email for approvers in asked if approvers for email in approvers.emails})

    def approvers(self, action: str, *environments: str, by_machine: bool) -> Approvers:
        """Return who must approve a change that has a request.

        If the policy no longer requires an approval, an existing request stays. The default's
        approvers then decide it.

        Args:
            action: action of the catalog, or `repair_service`.
            environments: as in `requirement`.
            by_machine: whether machine credentials requested it.
        """
        found = self.requirement(action, *environments).approval or self.default.approval
        if found is None:
            raise ValueError("the default has an approval: see the validation")
        count = max(found.count, MACHINE_COUNT) if by_machine else found.count
        return found.model_copy(update={"count": count})

    def address(self, email: str) -> str:
        """Return the address to which rights are granted: its exact spelling.

        Only the case of ASCII letters is ignored, and a domain in `domain_aliases` is replaced by
        the domain that it is an alias of.
        """
        local, at, domain = email.translate(_LOWER).rpartition("@")
        return f"{local}{at}{self.domain_aliases.get(domain, domain)}"

    def identity(self, email: str) -> str:
        """Return one spelling per person, to refuse people by. Grants nothing.

        Letter case, a plus-tag (`me+work@…`) and aliases of the domain are ignored. Otherwise
        people could approve their own requests, or approve twice, with another spelling.
        """
        folded = unicodedata.normalize("NFKC", email.strip()).casefold()
        local, at, domain = folded.rpartition("@")
        if not at:
            return folded
        aliases = {alias.casefold(): name.casefold() for alias, name in self.domain_aliases.items()}
        return f"{local.partition('+')[0]}@{aliases.get(domain, domain)}"


def _stricter(one: Requirement, other: Requirement) -> Requirement:
    """Return a requirement that fulfils both."""
    merge = one.auto_merge and other.auto_merge
    if one.approval is None or other.approval is None or one.approval == other.approval:
        return Requirement(approval=one.approval or other.approval, auto_merge=merge)
    first, second = one.approval, other.approval
    reminders = [r for r in (first.remind_before_seconds, second.remind_before_seconds) if r]
    expires = min(first.expires_after_seconds, second.expires_after_seconds)
    remind = min(reminders, default=None)
    both = Approvers(
        # A person who may decide for only one environment must not decide for the other.
        emails=tuple(email for email in first.emails if email in second.emails),
        teams=tuple(team for team in first.teams if team in second.teams),
        count=max(first.count, second.count),
        expires_after_seconds=expires,
        remind_before_seconds=remind if remind and remind < expires else None,
    )
    return Requirement(approval=both, auto_merge=merge)


@dataclass(frozen=True)
class PolicyVersion:
    """A policy and the version of the S3 object that it was read from."""

    policy: Policy
    version: str
