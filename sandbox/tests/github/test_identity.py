"""OpenID Connect tokens of jobs, `pull_request_target`, and environments' secrets."""

import base64
import json
from typing import Any

import jwt
import pytest
from github.Repository import Repository
from github.WorkflowRun import WorkflowRun
from nacl.public import PublicKey, SealedBox

from sandbox.tests.github.harness import TOKEN, Live, commit, open_pull
from sandbox.tests.http import HTTP
from sandbox.tests.waiting import wait_for

pytestmark = pytest.mark.waits

AUDIENCE = "https://reports.test/reports"
# The log shows a token in halves, because the runner would mask it as a whole.
ASK = """
          answer=$(curl -sS -H "Authorization: bearer $ACTIONS_ID_TOKEN_REQUEST_TOKEN" \\
            "$ACTIONS_ID_TOKEN_REQUEST_URL&audience=https://reports.test/reports")
          echo "token=$answer"
"""
WORKFLOW = """
name: Report
on:
  pull_request_target: {types: [closed]}
  workflow_dispatch:
permissions: {id-token: PERMISSION}
jobs:
  report:
    runs-on: ubuntu-latest
    steps:
      - run: |
          echo "asks=${ACTIONS_ID_TOKEN_REQUEST_URL:-no}"
          echo "file=MARK on $GITHUB_REF of $GITHUB_WORKFLOW_REF"
"""
PATH = ".github/workflows/report.yml"
SECRET_WORKFLOW = """
name: Restart
on: [workflow_dispatch]
jobs:
  restart:
    runs-on: ubuntu-latest
    environment: restarts
    steps:
      - env: {CREDENTIAL: '${{ secrets.CREDENTIAL }}'}
        run: '[ "$CREDENTIAL" = "for the cluster" ] && echo "has it"'
"""


def workflow(mark: str = "main's", permission: str = "write") -> str:
    asks = ASK if permission == "write" else ""
    return WORKFLOW.replace("MARK", mark).replace("PERMISSION", permission) + asks


def ended(repo: Repository, event: str = "") -> WorkflowRun:
    """The newest run of an event, once it is over."""

    def find() -> WorkflowRun | None:
        runs = [run for run in repo.get_workflow_runs() if event in {"", run.event}]
        return runs[0] if runs and runs[0].status == "completed" else None

    return wait_for(find, "the workflow's end")


def log(live: Live, run: WorkflowRun) -> str:
    (job,) = run.jobs()
    address = f"/repos/{run.repository.full_name}/actions/jobs/{job.id}/logs.txt"
    return live.call("GET", address).text


def token_in(text: str) -> str:
    line = next(line for line in text.splitlines() if "token={" in line)
    return str(json.loads(line.split("token=", 1)[1])["value"])


def claims_of(live: Live, token: str) -> dict[str, Any]:
    """What a token says, verified with the published key."""
    issuer = f"{live.url}/_services/token"
    found = HTTP.get(f"{issuer}/.well-known/openid-configuration").json()
    keys = jwt.PyJWKSet.from_dict(HTTP.get(found["jwks_uri"]).json())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    decoded: dict[str, Any] = jwt.decode(
        token, key.key, algorithms=["RS256"], audience=AUDIENCE, issuer=issuer
    )
    return decoded


def test_job_with_the_permission_is_given_a_token(live: Live, repo: Repository) -> None:
    repo.create_file(PATH, "Workflow", workflow())
    repo.get_workflow("report.yml").create_dispatch("main", {})

    claims = claims_of(live, token_in(log(live, ended(repo))))

    assert claims["repository_id"] == str(repo.id)
    assert claims["event_name"] == "workflow_dispatch"
    assert claims["workflow_ref"] == f"{repo.full_name}/{PATH}@refs/heads/main"
    owner, name = repo.full_name.split("/")
    home = f"{owner}@{repo.owner.id}/{name}@{repo.id}"
    assert claims["sub"] == f"repo:{home}:ref:refs/heads/main"
    assert claims["exp"] - claims["iat"] == 300


def test_job_without_the_permission_is_given_no_token(live: Live, repo: Repository) -> None:
    repo.create_file(PATH, "Workflow", workflow(permission="none"))
    repo.get_workflow("report.yml").create_dispatch("main", {})

    assert "asks=no" in log(live, ended(repo))


def test_token_request_is_refused_after_the_job(live: Live) -> None:
    url = f"{live.url}/_services/pipelines/idtoken?api-version=2.0&audience=x"

    for shown in ("", f"bearer {TOKEN}", "bearer made-up"):
        assert HTTP.get(url, headers={"Authorization": shown}).status_code == 401


@pytest.mark.parametrize("base", ["main", "develop"])
def test_target_event_runs_the_default_branchs_file(
    live: Live, repo: Repository, base: str
) -> None:
    repo.create_file(PATH, "Workflow", workflow())
    tip = repo.get_git_ref("heads/main").object.sha
    repo.create_git_ref("refs/heads/develop", tip)
    pull = open_pull(repo, {PATH: workflow("the attacker's")})
    pull.edit(base=base)

    pull.edit(state="closed")

    run = ended(repo, "pull_request_target")
    said = log(live, run)
    assert f"file=main's on refs/heads/main of {repo.full_name}/{PATH}@refs/heads/main" in said
    claims = claims_of(live, token_in(said))
    assert claims["sub"].endswith(":pull_request")
    assert (claims["head_ref"], claims["base_ref"]) == ("feature", base)


def test_target_event_runs_for_a_pull_request_with_conflicts(live: Live, repo: Repository) -> None:
    repo.create_file(PATH, "Workflow", workflow())
    pull = open_pull(repo, {"README.md": "theirs"})
    commit(repo, {"README.md": "ours"}, "main")

    pull.edit(state="closed")

    assert ended(repo, "pull_request_target").conclusion == "success"


@pytest.mark.parametrize("policy", ["protected", "pattern", None])
def test_environment_secret_is_kept_from_other_branches(
    live: Live, repo: Repository, policy: str | None
) -> None:
    repo.create_file(".github/workflows/restart.yml", "Workflow", SECRET_WORKFLOW)
    keep_secret(live, repo, policy)
    tip = repo.get_git_ref("heads/main").object.sha
    repo.create_git_ref("refs/heads/other", tip)
    restart = repo.get_workflow("restart.yml")

    restart.create_dispatch("main", {})
    assert "has it" in log(live, ended(repo))
    restart.create_dispatch("other", {})
    wait_for(lambda: repo.get_workflow_runs().totalCount == 2, "the second run")
    other = log(live, ended(repo))

    assert ("has it" in other) is (policy is None)
    assert ("is not allowed to deploy to restarts" in other) is (policy is not None)


def keep_secret(live: Live, repo: Repository, policy: str | None) -> None:
    """Put a secret into the environment `restarts`, for the branch main if a policy says so."""
    here = f"/repos/{repo.full_name}/environments/restarts"
    rules = {
        "protected_branches": policy == "protected",
        "custom_branch_policies": policy == "pattern",
    }
    body = {"deployment_branch_policy": rules if policy else None}
    assert live.call("PUT", here, json=body).status_code == 200
    if policy == "pattern":
        patterns = f"{here}/deployment-branch-policies"
        assert live.call("POST", patterns, json={"name": "main"}).status_code == 200
    if policy == "protected":
        repo.get_branch("main").edit_protection(enforce_admins=True)
    key = live.call("GET", f"{here}/secrets/public-key").json()
    sealed = SealedBox(PublicKey(base64.b64decode(key["key"]))).encrypt(b"for the cluster")
    secret = {"encrypted_value": base64.b64encode(sealed).decode(), "key_id": key["key_id"]}
    assert live.call("PUT", f"{here}/secrets/CREDENTIAL", json=secret).status_code == 201
