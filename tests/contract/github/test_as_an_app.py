"""A change proposed by a GitHub App: the author of its commit, and its reviewers."""

from dataclasses import replace
from typing import Any

import pytest
from slipway.config import GitHubCredentials
from slipway.github.repository import ServicesRepository

from tests.contract.github.conftest import BRANCH, Services, change

pytestmark = pytest.mark.waits

CHANGE = change({"apps/shop/a.yaml": "a: 1\n"})


def signed_in(services: Services, **permissions: str) -> ServicesRepository:
    """Sign in Slipway as an App of the repository's organisation."""
    granted = dict.fromkeys(("contents", "pull_requests", "issues"), "write") | permissions
    body: dict[str, Any] = {"slug": services.github.name, "permissions": granted}
    app = services.server.control("POST", "apps", body)
    return services.signed_in(credentials=GitHubCredentials.model_validate(app))


def give_access(services: Services, team: str) -> None:
    """Give a team of the organisation access to the repository."""
    services.github.requester.requestJsonAndCheck(
        "PUT", f"/orgs/acme/teams/{team}/repos/{services.github.full_name}"
    )


def test_commit_author_is_the_apps_bot(services: Services) -> None:
    signed_in(services).propose(CHANGE)

    made = services.github.get_branch(BRANCH).commit.commit
    bot = services.server.client().get_user(f"{services.github.name}[bot]")
    assert made.author.name == bot.login
    # GitHub commits it, and signs it.
    assert made.committer.name == "GitHub"
    assert made.raw_data["verification"]["verified"]
    # https://docs.github.com/account-and-profile/reference/email-addresses-reference
    email = f"{bot.id}+{bot.login}@users.noreply.github.com"
    assert made.author.email == email


def test_app_finds_its_own_pull_request(services: Services) -> None:
    # REST and GraphQL must name the App's bot alike.
    app = signed_in(services)
    made = app.propose(CHANGE)

    assert app.find(BRANCH) == made
    assert app.propose(CHANGE).number == made.number
    assert services.slipway.find(BRANCH) is None


def test_reviewers_are_requested_one_by_one(services: Services) -> None:
    services.as_user("developer")
    give_access(services, "payments")
    bot = f"{services.github.name}[bot]"
    asked = ("stranger", "developer", "team:payments", "team:devops", bot)

    pull = signed_in(services, members="read").propose(replace(CHANGE, reviewers=asked))

    users, teams = services.github.get_pull(pull.number).get_review_requests()
    assert [user.login for user in users] == ["developer"]
    assert [team.slug for team in teams] == ["payments"]
    not_a_collaborator = "users or teams you specified is not a collaborator"
    expected = {
        "stranger": "Could not resolve to a User with the login of 'stranger'.",
        "team devops": not_a_collaborator,
        bot: "Review cannot be requested from pull request author.",
    }
    assert len(pull.notes) == len(expected)
    for who, why in expected.items():
        (note,) = (
            note
            for note in pull.notes
            if note.startswith(f"GitHub did not request a review from {who}:")
        )
        assert why in note


def test_team_is_not_requested_without_the_members_permission(services: Services) -> None:
    give_access(services, "payments")

    pull = signed_in(services).propose(replace(CHANGE, reviewers=("team:payments",)))

    (note,) = pull.notes
    assert "Resource not accessible by integration" in note
