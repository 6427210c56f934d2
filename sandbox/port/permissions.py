"""Who may execute an action, and who may approve its runs.

https://docs.port.io/actions-and-automations/create-self-service-experiences/set-self-service-actions-rbac/
"""

import logging
from typing import Any

from sandbox.port import catalogue, people
from sandbox.port.errors import PortApiError, forbidden
from sandbox.port.jq_program import JqError, evaluate
from sandbox.port.people import ADMIN, User
from sandbox.port.store import Action
from sandbox.port.templates import TemplateError, render
from sandbox.port.work import Work

Json = dict[str, Any]
_LOG = logging.getLogger(__name__)
_LARGEST_RESULT = 1000


def require_execute(work: Work, action: Action, context: Json) -> None:
    """Refuse a person who may not run the action.

    Machine credentials may run every action.

    Raises:
        PortApiError: 403 `missing_permissions`.
    """
    user = people.find(work.db, work.caller.email) if work.caller.email else None
    if user is None:
        return
    rules = action.permissions["execute"]
    if rules.get("policy"):
        allowed = any(result is True for result in _conditions(work, rules["policy"], context))
    else:
        owners = (context.get("entity") or {}).get("team") or []
        owns = bool(rules.get("ownedByTeam")) and bool(set(owners) & set(user.teams))
        allowed = ADMIN in user.roles or _listed(user, rules) or owns
    if not allowed:
        raise forbidden(f'You may not execute the action "{action.identifier}".')


def depends_on_entity(action: Action) -> bool:
    """Return whether the entity decides who may execute the action."""
    rules = action.permissions["execute"]
    return bool(rules.get("policy") or rules.get("ownedByTeam"))


def approvers(work: Work, action: Action | None, context: Json) -> list[User]:
    """Return the users who may approve a run, by its policy or its list.

    Without a policy and listed users, the administrators may.
    """
    everybody = people.users(work.db)
    rules = action.permissions["approve"] if action else {}
    if rules.get("policy"):
        results = _conditions(work, rules["policy"], context)
        emails = {email for result in results if isinstance(result, list) for email in result}
        return [user for user in everybody if user.email in emails]
    found = [user for user in everybody if _listed(user, rules)]
    return found or [user for user in everybody if ADMIN in user.roles]


def _listed(user: User, rules: Json) -> bool:
    return (
        user.email in (rules.get("users") or [])
        or bool(set(user.roles) & set(rules.get("roles") or []))
        or bool(set(user.teams) & set(rules.get("teams") or []))
    )


def _conditions(work: Work, policy: Json, context: Json) -> list[Any]:
    results: Json = {}
    for name, query in policy["queries"].items():
        try:
            found = catalogue.query(work, render(query, context))[:_LARGEST_RESULT]
            results[name] = {"entities": [catalogue.view(work, row) for row in found]}
        except (PortApiError, TemplateError) as error:
            # Port ignores a query that cannot be evaluated.
            _LOG.warning("policy query %s: %s", name, error)
    values = []
    for condition in policy["conditions"]:
        try:
            values.append(evaluate(condition, {**context, "results": results}))
        except JqError as error:
            _LOG.warning("policy condition: %s", error)
    return values
