"""Who may do what, and how often: tokens, Apps, rate limits, planned faults."""

import time

import httpx
import jwt
import pytest
from github import Auth, Github, GithubException, GithubIntegration
from github.Repository import Repository

from sandbox.tests.github.harness import Live, open_pull
from sandbox.tests.http import HTTP
from sandbox.tests.waiting import wait_for


@pytest.fixture
def app(live: Live) -> dict[str, object]:
    answer = HTTP.post(
        f"{live.url}/_sandbox/apps",
        json={
            "slug": f"slipway-{time.monotonic_ns()}",
            "permissions": {"contents": "write", "pull_requests": "write"},
        },
    )
    assert answer.status_code == 201
    made: dict[str, object] = answer.json()
    return made


def installed(
    live: Live, app: dict[str, object], permissions: dict[str, str] | None = None
) -> Github:
    auth = Auth.AppAuth(int(str(app["app_id"])), str(app["private_key"]))
    return Github(
        base_url=live.api,
        auth=auth.get_installation_auth(int(str(app["installation_id"])), permissions),
        retry=None,
        seconds_between_requests=None,
        seconds_between_writes=None,
    )


def test_a_wrong_token_is_bad_credentials(live: Live) -> None:
    with pytest.raises(GithubException) as error:
        live.client("ghp_wrong").get_user().login  # noqa: B018
    assert (error.value.status, error.value.data["message"]) == (401, "Bad credentials")


def test_an_expired_token_is_bad_credentials(live: Live) -> None:
    token = live.as_user("developer", lifetime_seconds=0.05)
    wait_for(lambda: live.call("GET", "/user", token).status_code == 401, "expiry")


def test_who_is_not_a_collaborator_does_not_see_the_repository(
    live: Live, repo: Repository
) -> None:
    HTTP.post(f"{live.url}/_sandbox/users", json={"login": "outsider"}).raise_for_status()

    answer = live.call("GET", f"/repos/{repo.full_name}", live.as_user("outsider"))

    assert answer.status_code == 404


def test_only_administrators_change_settings(live: Live, repo: Repository) -> None:
    token = live.as_user("developer")
    answer = live.call("PUT", f"/repos/{repo.full_name}/branches/main/protection", token, json={})
    assert (answer.status_code, answer.json()["message"]) == (
        403, "Must have admin rights to Repository.",
    )  # fmt: skip


def test_an_installation_opens_pull_requests(
    live: Live, app: dict[str, object], repo: Repository
) -> None:
    pull = open_pull(installed(live, app).get_repo(repo.full_name))
    assert pull.user.login.endswith("[bot]")


def test_team_is_not_seen_by_an_app_without_members(live: Live, app: dict[str, object]) -> None:
    pull = open_pull(installed(live, app).get_repo("acme/services"), branch="team")

    with pytest.raises(GithubException) as error:
        pull.create_review_request(team_reviewers=["payments"])
    pull.edit(state="closed")

    assert error.value.status == 422
    assert "Could not resolve to a node with the global id of" in error.value.data["errors"][0]


def test_an_installation_may_only_what_it_was_granted(
    live: Live, app: dict[str, object], repo: Repository
) -> None:
    theirs = installed(live, app, {"contents": "read"}).get_repo(repo.full_name)
    assert theirs.get_branch("main").name == "main"
    with pytest.raises(GithubException) as error:
        theirs.create_git_ref("refs/heads/x", theirs.get_branch("main").commit.sha)
    assert error.value.status == 403
    assert error.value.data["message"] == "Resource not accessible by integration"
    assert (error.value.headers or {})["x-accepted-github-permissions"] == "contents=write"


def test_an_app_describes_itself(live: Live, app: dict[str, object]) -> None:
    auth = Auth.AppAuth(int(str(app["app_id"])), str(app["private_key"]))
    integration = GithubIntegration(auth=auth, base_url=live.api)
    assert integration.get_app().id == app["app_id"]
    assert integration.get_repo_installation("acme", "services").id == app["installation_id"]
    permissions = integration.get_app_installation(int(str(app["installation_id"]))).permissions
    assert permissions["contents"] == "write"


def test_an_app_token_of_another_key_is_refused(live: Live, app: dict[str, object]) -> None:
    other = HTTP.post(
        f"{live.url}/_sandbox/apps", json={"slug": f"o{time.monotonic_ns()}", "permissions": {}}
    ).json()
    now = int(time.time())
    claims = {"iat": now, "exp": now + 300, "iss": str(app["app_id"])}
    token = jwt.encode(claims, other["private_key"], "RS256")
    answer = live.call("GET", "/app", token)
    assert (answer.status_code, answer.json()["message"]) == (
        401, "A JSON web token could not be decoded",
    )  # fmt: skip
    claims["exp"] = now + 3600
    late = jwt.encode(claims, str(app["private_key"]), "RS256")
    assert "too far in the future" in live.call("GET", "/app", late).json()["message"]


def test_every_answer_has_rate_limit_headers(live: Live) -> None:
    for path in ("/user", "/nowhere", "/repos/acme/none"):
        headers = live.call("GET", path).headers
        assert int(headers["X-RateLimit-Remaining"]) < int(headers["X-RateLimit-Limit"])
        assert int(headers["X-RateLimit-Reset"]) > time.time()


def test_a_used_up_limit_names_its_reset(live: Live) -> None:
    token = live.as_user("developer")
    url = f"{live.url}/_sandbox/rate_limit"
    before = int(time.time())
    HTTP.put(url, json={"remaining": 1, "reset_seconds": 3000, "login": "developer"})
    try:
        assert live.call("GET", "/user", token).status_code == 200
        answer = live.call("GET", "/user", token)
        assert answer.status_code == 403
        assert answer.json()["message"].startswith("API rate limit exceeded for")
        assert answer.headers["X-RateLimit-Remaining"] == "0"
        assert before + 3000 <= int(answer.headers["X-RateLimit-Reset"]) <= time.time() + 3000
        assert live.call("GET", "/rate_limit", token).json()["rate"]["remaining"] == 0
    finally:
        HTTP.put(url, json={})


def test_the_secondary_limit_asks_to_wait(live: Live, repo: Repository) -> None:
    url = f"{live.url}/_sandbox/rate_limit"
    HTTP.put(url, json={"writes_per_minute": 1, "retry_after": 7})
    try:
        token = live.as_user("devops")
        path = f"/repos/{repo.full_name}/issues"
        assert live.call("POST", path, token, json={"title": "1"}).status_code == 201
        answer = live.call("POST", path, token, json={"title": "2"})
        assert (answer.status_code, answer.headers["Retry-After"]) == (403, "7")
        assert "secondary rate limit" in answer.json()["message"]
    finally:
        HTTP.put(url, json={})


def fault(live: Live, **fields: object) -> None:
    assert HTTP.post(f"{live.url}/_sandbox/faults", json=fields).status_code == 201


def test_a_planned_fault_happens_as_often_as_planned(live: Live, repo: Repository) -> None:
    fault(live, method="GET", path="/branches$", times=2, status=502, headers={"Retry-After": "1"})
    path = f"/repos/{repo.full_name}/branches"
    answers = [live.call("GET", path) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [502, 502, 200]
    assert answers[0].headers["Retry-After"] == "1"


def test_a_lost_answer_leaves_its_effect(live: Live, repo: Repository) -> None:
    fault(live, method="POST", path="/issues$", when="after", reset=True)
    with pytest.raises(httpx.TransportError):
        live.call("POST", f"/repos/{repo.full_name}/issues", json={"title": "kept"})
    assert [issue.title for issue in repo.get_issues()] == ["kept"]


def test_the_request_log_counts_by_actor(live: Live, repo: Repository) -> None:
    HTTP.delete(f"{live.url}/_sandbox/requests")
    live.call("GET", f"/repos/{repo.full_name}/branches?per_page=1", live.as_user("devops"))
    assert HTTP.get(f"{live.url}/_sandbox/requests").json() == [
        {
            "method": "GET",
            "path": f"/api/v3/repos/{repo.full_name}/branches",
            "actor": "devops",
            "status": 200,
        }
    ]


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"{", 400, "Problems parsing JSON"),
        (b"[]", 422, "Invalid request."),
        (b'{"ref": 5, "sha": null}', 422, "Invalid request."),
    ],
)
def test_bad_bodies_are_told_apart(
    live: Live, repo: Repository, body: bytes, status: int, message: str
) -> None:
    headers = {"Content-Type": "application/json"}
    answer = live.call("POST", f"/repos/{repo.full_name}/git/refs", content=body, headers=headers)
    assert (answer.status_code, answer.json()["message"].split("\n")[0]) == (status, message)
