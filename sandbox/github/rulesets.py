"""Rulesets of a repository: who may make, change and delete branches of a pattern.

https://docs.github.com/rest/repos/rules
"""

import re
from typing import Any

from sqlalchemy import select

from sandbox.github import urls
from sandbox.github.errors import ApiError, not_found
from sandbox.github.permissions import role
from sandbox.github.server import RepoSession, teams_of
from sandbox.github.store import App

Json = dict[str, Any]
# What this server enforces; others are refused by name.
_REFUSALS = {
    "creation": "Cannot create ref due to creations being restricted.",
    "update": "Cannot update this protected ref.",
    "deletion": "Cannot delete this protected ref.",
}
# https://docs.github.com/rest/repos/rules#create-a-repository-ruleset
_ADMIN_ROLE = 5


def create(here: RepoSession, body: Json) -> Json:
    """Make a ruleset.

    Raises:
        ApiError: 422, naming what this server does not enforce.
    """
    return _put(here, max((int(key) for key in here.repo.rulesets), default=0) + 1, body)


def update(here: RepoSession, number: int, body: Json) -> Json:
    """Change a ruleset; what the body leaves out stays.

    Raises:
        ApiError: 404, there is none of that id; 422, naming what this server does not enforce.
    """
    if str(number) not in here.repo.rulesets:
        raise not_found()
    return _put(here, number, {**_shown(here, number), **body})


def _put(here: RepoSession, number: int, body: Json) -> Json:
    rules = [str(rule["type"]) for rule in body.get("rules") or []]
    actors = [(a["actor_type"], a.get("actor_id")) for a in body.get("bypass_actors") or []]
    unknown = [name for name in rules if name not in _REFUSALS]
    unknown += [
        kind
        for kind, actor_id in actors
        if kind != "Integration" and (kind, actor_id) != ("RepositoryRole", _ADMIN_ROLE)
    ]
    unknown += ["target"] if body.get("target", "branch") != "branch" else []
    unknown += ["enforcement"] if body.get("enforcement") != "active" else []
    if unknown:
        raise ApiError(422, f"The sandbox does not enforce: {', '.join(unknown)}")
    here.repo.rulesets[str(number)] = {
        "name": body["name"],
        "include": body["conditions"]["ref_name"]["include"],
        "exclude": body["conditions"]["ref_name"].get("exclude") or [],
        "rules": rules,
        "bypass_actors": body.get("bypass_actors") or [],
    }
    return _shown(here, number)


def listed(here: RepoSession) -> list[Json]:
    """Return all rulesets."""
    return [_shown(here, int(number)) for number in here.repo.rulesets]


def rules_of(here: RepoSession, branch: str) -> list[Json]:
    """Return the rules for a branch, which need not exist."""
    return [
        {
            "type": rule,
            "ruleset_source_type": "Repository",
            "ruleset_source": here.repo.full_name,
            "ruleset_id": int(number),
        }
        for number, ruleset in here.repo.rulesets.items()
        if _is_for(here, ruleset, branch)
        for rule in ruleset["rules"]
    ]


def refuse(here: RepoSession, branch: str, *, deleted: bool) -> None:
    """Check a change of a branch.

    Raises:
        ApiError: 422, a ruleset is against it.
    """
    exists = here.git.ref(f"refs/heads/{branch}") is not None
    rule = "deletion" if deleted else "update" if exists else "creation"
    for ruleset in here.repo.rulesets.values():
        against = rule in ruleset["rules"] and _is_for(here, ruleset, branch)
        if against and not any(_is_actor(here, actor) for actor in ruleset["bypass_actors"]):
            raise ApiError(422, f"Repository rule violations found\n\n{_REFUSALS[rule]}")


def _is_for(here: RepoSession, ruleset: Json, branch: str) -> bool:
    def matches(patterns: list[str]) -> bool:
        return any(_matches(here, pattern, f"refs/heads/{branch}") for pattern in patterns)

    return matches(ruleset["include"]) and not matches(ruleset["exclude"])


def _matches(here: RepoSession, pattern: str, ref: str) -> bool:
    """As Ruby's `File.fnmatch` with `FNM_PATHNAME`: `**` is for several folders only as `**/`.

    https://docs.github.com/repositories/configuring-branches-and-merges-in-your-repository/managing-rulesets/creating-rulesets-for-a-repository#using-fnmatch-syntax
    """
    if pattern in {"~ALL", "~DEFAULT_BRANCH"}:
        return pattern == "~ALL" or ref == f"refs/heads/{here.repo.default_branch}"
    parts = re.split(r"(\*\*/|\*+)", pattern)
    expression = "".join(
        "(?:[^/]+/)*" if part == "**/" else "[^/]*" if part.startswith("*") else re.escape(part)
        for part in parts
    )
    return re.fullmatch(expression, ref) is not None


def _is_actor(here: RepoSession, actor: Json) -> bool:
    if actor["actor_type"] == "RepositoryRole":
        teams = teams_of(here.session, here.repo.owner, here.actor.login)
        return role(here.actor, here.repo, teams) == "admin"
    slug = here.session.scalar(select(App.slug).filter_by(id=actor["actor_id"]))
    return here.actor.kind == "installation" and here.actor.login in {slug, f"{slug}[bot]"}


def _shown(here: RepoSession, number: int) -> Json:
    ruleset = here.repo.rulesets[str(number)]
    return {
        "id": number,
        "name": ruleset["name"],
        "target": "branch",
        "source_type": "Repository",
        "source": here.repo.full_name,
        "enforcement": "active",
        "bypass_actors": [{"bypass_mode": "always", **actor} for actor in ruleset["bypass_actors"]],
        "conditions": {"ref_name": {k: ruleset[k] for k in ("include", "exclude")}},
        "rules": [{"type": rule} for rule in ruleset["rules"]],
        "_links": {"self": {"href": urls.api(f"{here.path}/rulesets/{number}")}},
    }
