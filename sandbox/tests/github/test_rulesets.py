"""Rulesets: who may make, change and delete branches of a pattern."""

from typing import Any

import pytest
from github import GithubException
from github.Repository import Repository

from sandbox.tests.github.harness import Live

ADMINS = {"actor_type": "RepositoryRole", "actor_id": 5, "bypass_mode": "always"}


def ruleset(include: str, *rules: str, **changes: Any) -> dict[str, Any]:
    return {
        "name": "Branches of runs",
        "target": "branch",
        "enforcement": "active",
        "bypass_actors": [ADMINS],
        "conditions": {"ref_name": {"include": [f"refs/heads/{include}"], "exclude": []}},
        "rules": [{"type": rule} for rule in rules],
        **changes,
    }


def make(live: Live, repo: Repository, body: dict[str, Any]) -> int:
    return live.call("POST", f"/repos/{repo.full_name}/rulesets", json=body).status_code


def as_developer(live: Live, repo: Repository) -> Repository:
    return live.client(live.as_user("developer")).get_repo(repo.full_name)


def test_ruleset_refuses_who_is_not_on_its_bypass_list(live: Live, repo: Repository) -> None:
    assert make(live, repo, ruleset("held/**/*", "creation", "update", "deletion")) == 201
    tip = repo.get_git_ref("heads/main").object.sha
    repo.create_git_ref("refs/heads/held/a/b", tip)  # As an administrator.
    mine = as_developer(live, repo)

    with pytest.raises(GithubException, match="creations being restricted"):
        mine.create_git_ref("refs/heads/held/a/c", tip)
    with pytest.raises(GithubException, match="Cannot update"):
        mine.create_file("x", "x", "x", branch="held/a/b")
    with pytest.raises(GithubException, match="Cannot delete"):
        mine.get_git_ref("heads/held/a/b").delete()
    mine.create_git_ref("refs/heads/free/a", tip)


@pytest.mark.parametrize(
    ("include", "branch", "fits"),
    [
        ("slipway/**/*", "slipway/upscale_service/r_1", True),
        ("slipway/**/*", "slipway/r_1", True),
        ("slipway/**", "slipway/upscale_service/r_1", False),
        ("slipway/**", "slipway/r_1", True),
        ("slipway/*", "slipway-other/r_1", False),
    ],
)
def test_pattern_fits_as_fnmatch_with_pathname(
    live: Live, repo: Repository, include: str, branch: str, fits: bool
) -> None:
    make(live, repo, ruleset(include, "creation"))

    rules = live.call("GET", f"/repos/{repo.full_name}/rules/branches/{branch}").json()

    assert [rule["type"] for rule in rules] == (["creation"] if fits else [])


@pytest.mark.parametrize(
    "changes",
    [
        {"rules": [{"type": "required_signatures"}]},
        {"enforcement": "evaluate"},
        {"target": "tag"},
        {"bypass_actors": [{"actor_type": "Team", "actor_id": 1}]},
    ],
)
def test_ruleset_that_would_not_be_enforced_is_refused(
    live: Live, repo: Repository, changes: dict[str, Any]
) -> None:
    assert make(live, repo, ruleset("x/*", **changes)) == 422


def test_only_administrators_make_rulesets(live: Live, repo: Repository) -> None:
    path, token = f"/repos/{repo.full_name}/rulesets", live.as_user("developer")

    assert live.call("POST", path, token, json=ruleset("x/*")).status_code == 403
