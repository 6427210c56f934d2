"""Rulesets, and the rules for a branch.

https://docs.github.com/rest/repos/rules
"""

from fastapi import APIRouter, Response

from sandbox.github import rulesets
from sandbox.github.routes.deps import Here, Json, PageDep

router = APIRouter(prefix="/repos/{owner}/{name}")


@router.get("/rulesets")
def list_rulesets(here: Here, page: PageDep) -> Response:
    """List rulesets."""
    return page.of(rulesets.listed(here), lambda ruleset: ruleset)


@router.post("/rulesets", status_code=201)
def create_ruleset(here: Here, body: Json) -> Json:
    """Make a ruleset."""
    return rulesets.create(here, body)


@router.put("/rulesets/{number}")
def update_ruleset(here: Here, number: int, body: Json) -> Json:
    """Change a ruleset."""
    return rulesets.update(here, number, body)


@router.get("/rules/branches/{branch:path}")
def list_rules(here: Here, branch: str, page: PageDep) -> Response:
    """List the rules for a branch."""
    return page.of(rulesets.rules_of(here, branch), lambda rule: rule)
