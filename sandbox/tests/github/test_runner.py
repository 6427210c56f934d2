"""Workflows: a real server runs real files of a real repository."""

import hashlib
import hmac
import json
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from github.Repository import Repository
from github.WorkflowRun import WorkflowRun

from sandbox.tests.github.harness import TOKEN, Live, commit, open_pull
from sandbox.tests.waiting import wait_for

REPORT = """
name: Report
on:
  pull_request:
    types: [closed]
    branches: [main]
    paths: ['apps/**']
permissions:
  contents: read
  pull-requests: write
env:
  TITLE: ${{ github.event.pull_request.title }}
jobs:
  report:
    if: ${{ !github.event.pull_request.draft }}
    runs-on: ubuntu-latest
    timeout-minutes: 2
    outputs:
      merged: ${{ steps.look.outputs.merged }}
    steps:
      - uses: actions/checkout@0123456789abcdef0123456789abcdef01234567 # v5
        with:
          persist-credentials: false
      - uses: actions/setup-python@v6
        with:
          python-version: '3.13'
      - id: look
        env:
          MERGED: ${{ github.event.pull_request.merged }}
          SECRET: ${{ secrets.PORT_CLIENT_SECRET }}
        run: |
          echo "merged=$MERGED" >> "$GITHUB_OUTPUT"
          echo "secret is $SECRET"
          echo "leak: ${LEAKED_FROM_HOST:-none}"
          echo "title: $TITLE, base ${{ vars.BASE }}"
          ls apps
          python -c 'import sys; print("yaml" if sys.prefix == sys.base_prefix else "isolated")'
      - name: Comment
        env:
          TOKEN: ${{ github.token }}
        shell: python
        run: |
          import json, os, urllib.request
          event = json.load(open(os.environ["GITHUB_EVENT_PATH"]))
          number = event["pull_request"]["number"]
          url = f'{os.environ["GITHUB_API_URL"]}/repos/{os.environ["GITHUB_REPOSITORY"]}'
          def post(path, body):
              request = urllib.request.Request(url + path, json.dumps(body).encode(), {
                  "Authorization": "Bearer " + os.environ["TOKEN"],
                  "Content-Type": "application/json"})
              return urllib.request.urlopen(request).status
          post(f"/issues/{number}/comments", {"body": "reported"})
          try:
              post("/git/refs", {"ref": "refs/heads/evil", "sha": os.environ["GITHUB_SHA"]})
          except urllib.error.HTTPError as error:
              print("refused with", error.code)
  after:
    needs: report
    runs-on: ubuntu-24.04
    steps:
      - run: echo "needs say ${{ needs.report.outputs.merged }}" >> "$GITHUB_STEP_SUMMARY"
      - if: failure()
        run: echo never
      - if: always() && needs.report.result == 'success'
        run: echo "ref $GITHUB_REF sha $GITHUB_SHA"
"""


def install(repo: Repository, text: str, name: str = "ci.yml") -> None:
    commit(repo, {f".github/workflows/{name}": text}, "main")


def finished(repo: Repository, event: str, count: int = 1) -> list[WorkflowRun]:
    def look() -> list[WorkflowRun]:
        runs = list(repo.get_workflow_runs(event=event))
        done = [run for run in runs if run.status == "completed"]
        return done if len(done) >= count else []

    return wait_for(look, f"{count} runs of {event}")


def logs(live: Live, repo: Repository, run: WorkflowRun) -> str:
    texts = []
    for job in run.jobs():
        path = f"/repos/{repo.full_name}/actions/jobs/{job.id}/logs"
        answer = live.call("GET", path, follow_redirects=True)
        texts.append(answer.text)
    return "\n".join(texts)


def dispatch(repo: Repository, steps: str, job: str = "") -> WorkflowRun:
    """Install a workflow with these steps, start it, wait for its end."""
    install(
        repo,
        "on: workflow_dispatch\njobs:\n  one:\n    runs-on: ubuntu-latest\n"
        f"{job}    steps:\n{steps}",
    )
    assert repo.get_workflow("ci.yml").create_dispatch("main", throw=True)
    return finished(repo, "workflow_dispatch")[0]


def test_a_merge_runs_the_workflow_which_reports(live: Live, repo: Repository) -> None:
    install(repo, REPORT)
    repo.create_secret("PORT_CLIENT_SECRET", "an-older-value")
    repo.create_secret("PORT_CLIENT_SECRET", "hidden-value-1")
    repo.create_variable("BASE", "http://port")
    pull = open_pull(repo)
    sha = pull.merge().sha

    run = finished(repo, "pull_request")[0]

    log = logs(live, repo, run)
    assert run.conclusion == "success", log
    assert "secret is ***" in log
    assert "hidden-value-1" not in log
    assert "leak: none" in log
    assert "title: Add feature, base http://port" in log
    assert "isolated" in log
    assert "refused with 403" in log
    assert f"ref refs/heads/main sha {sha}" in log
    assert "never" not in log
    assert [comment.body for comment in pull.get_issue_comments()] == ["reported"]
    assert [job.conclusion for job in run.jobs()] == ["success", "success"]
    checks = list(repo.get_commit(pull.head.sha).get_check_runs())
    assert {(check.name, check.conclusion) for check in checks} == {
        ("report", "success"), ("after", "success"),
    }  # fmt: skip


def test_a_change_of_other_paths_starts_nothing(repo: Repository) -> None:
    install(repo, REPORT)
    install(repo, "on: {pull_request: {types: [closed]}}\njobs: {a: {runs-on: ubuntu-latest, "
            "steps: [{run: echo}]}}", "other.yml")  # fmt: skip
    open_pull(repo, {"docs/x": "x"}).edit(state="closed")
    assert [run.name for run in finished(repo, "pull_request")] == [".github/workflows/other.yml"]
    assert repo.get_workflow_runs(event="pull_request").totalCount == 1


def test_a_failed_step_fails_the_run_and_skips_the_rest(live: Live, repo: Repository) -> None:
    run = dispatch(
        repo,
        "      - run: exit 3\n      - run: echo after\n        id: skipped\n"
        "      - if: failure()\n        run: echo cleanup\n",
    )
    assert run.conclusion == "failure"
    steps = run.jobs()[0].steps
    assert [step.conclusion for step in steps] == ["failure", "skipped", "success"]
    assert "Process completed with exit code 3." in logs(live, repo, run)


def test_what_the_runner_lacks_is_refused_by_name(live: Live, repo: Repository) -> None:
    run = dispatch(repo, "      - uses: docker/login-action@v3\n")
    assert run.conclusion == "failure"
    assert "does not have the action 'docker/login-action@v3'" in logs(live, repo, run)


def test_an_unknown_key_refuses_the_file_by_name(live: Live, repo: Repository) -> None:
    install(
        repo,
        "on: push\njobs: {a: {runs-on: ubuntu-latest, strategy: {matrix: {v: [1]}}, "
        "steps: [{run: echo}]}}",
    )
    run = finished(repo, "push")[0]
    assert run.conclusion == "startup_failure"
    assert "jobs.a.strategy" in logs(live, repo, run)


def test_a_job_that_runs_too_long_is_ended_with_its_children(live: Live, repo: Repository) -> None:
    run = dispatch(
        repo,
        "      - run: sleep 300 & sleep 300\n        timeout-minutes: 0.005\n",
        "    timeout-minutes: 1\n",
    )
    assert run.conclusion == "failure"
    assert "ran longer than it may" in logs(live, repo, run)


def test_a_cancelled_run_ends(live: Live, repo: Repository) -> None:
    install(
        repo,
        "on: workflow_dispatch\njobs: {a: {runs-on: ubuntu-latest, steps: "
        "[{run: sleep 300}, {if: cancelled(), run: echo cleaned}]}}",
    )
    repo.get_workflow("ci.yml").create_dispatch("main", throw=True)
    run = wait_for(
        lambda: next(iter(repo.get_workflow_runs(status="in_progress")), None), "the start"
    )
    assert run is not None
    assert run.cancel()
    assert finished(repo, "workflow_dispatch")[0].conclusion == "cancelled"


def test_of_a_group_the_newest_waiting_run_goes_next(live: Live, repo: Repository) -> None:
    install(
        repo,
        "on: {repository_dispatch: {types: [go]}}\nconcurrency: one\njobs: {a: {runs-on: "
        "ubuntu-latest, steps: [{run: 'while [ ! -e ${{ github.event.client_payload.flag }} ]; "
        "do sleep 0.05; done'}]}}",
    )
    flag = live.log.parent / f"flag-{repo.name}"
    repo.create_repository_dispatch("go", {"flag": str(flag)})
    wait_for(lambda: list(repo.get_workflow_runs(status="in_progress")), "the first run")
    for number in (2, 3):
        repo.create_repository_dispatch("go", {"flag": str(flag)})
        wait_for(lambda n=number: repo.get_workflow_runs().totalCount == n, "queueing")  # type: ignore[misc]
    # The second gave its place to the third.
    wait_for(lambda: list(repo.get_workflow_runs(status="cancelled")), "the cancellation")
    flag.write_text("")
    runs = finished(repo, "repository_dispatch", 3)
    assert [run.conclusion for run in runs] == ["success", "cancelled", "success"]


def test_dispatch_inputs_are_checked_and_given(live: Live, repo: Repository) -> None:
    install(
        repo,
        "on: {workflow_dispatch: {inputs: {who: {required: true}, how: {default: well}}}}\n"
        "jobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'echo ${{ inputs.who }} "
        "${{ github.event.inputs.how }}'}]}}",
    )
    path = f"/repos/{repo.full_name}/actions/workflows/ci.yml/dispatches"
    missing = live.call("POST", path, json={"ref": "main"})
    assert missing.json()["message"] == "Required input 'who' not provided"
    repo.get_workflow("ci.yml").create_dispatch("main", {"who": "you"}, throw=True)
    run = finished(repo, "workflow_dispatch")[0]
    assert "you well" in logs(live, repo, run)


def test_a_push_over_git_starts_the_workflow(live: Live, repo: Repository, tmp_path: Path) -> None:
    install(
        repo,
        "on: {push: {branches: [dev*]}}\njobs: {a: {runs-on: ubuntu-latest, steps: "
        "[{run: 'echo $GITHUB_REF_NAME'}]}}",
    )

    def git(*arguments: str, folder: Path = tmp_path) -> None:
        subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True)

    url = repo.clone_url.replace("http://", f"http://x:{TOKEN}@")
    git("clone", url, "clone")
    clone = tmp_path / "clone"
    git("checkout", "-b", "dev-1", folder=clone)
    (clone / "new").write_text("n")
    git("add", "new", folder=clone)
    git("-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-m", "n", folder=clone)
    git("push", "origin", "dev-1", folder=clone)

    run = finished(repo, "push")[0]
    assert (run.head_branch, run.conclusion) == ("dev-1", "success")
    repo.get_branch("main").edit_protection(contexts=["ci"], enforce_admins=True)
    git("checkout", "--orphan", "fresh", folder=clone)
    git("-c", "user.name=a", "-c", "user.email=a@b.c", "commit", "-m", "n", folder=clone)
    git("push", "--force", "origin", "fresh:dev-1", folder=clone)
    with pytest.raises(subprocess.CalledProcessError):
        git("push", "origin", "dev-1:main", folder=clone)
    repo.get_branch("main").edit_protection(enforce_admins=True)
    with pytest.raises(subprocess.CalledProcessError) as error:
        git("push", "--force", "origin", "fresh:main", folder=clone)
    assert b"cannot force-push" in error.value.stderr
    with pytest.raises(subprocess.CalledProcessError):
        git("clone", repo.clone_url.replace("http://", "http://x:wrong@"), "none")


@pytest.fixture
def receiver() -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    got: list[tuple[dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((dict(self.headers), body))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook", got
    server.shutdown()
    thread.join()
    server.socket.close()


def test_webhooks_are_signed(
    repo: Repository, receiver: tuple[str, list[tuple[dict[str, str], bytes]]]
) -> None:
    url, got = receiver
    config = {"url": url, "content_type": "json", "secret": "s3cret"}
    hook = repo.create_hook("web", config, events=["pull_request"], active=True)
    open_pull(repo)

    wait_for(lambda: len(got) == 2, "ping and opened")

    assert [headers["X-GitHub-Event"] for headers, _ in got] == ["ping", "pull_request"]
    headers, body = got[1]
    digest = hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()
    assert headers["X-Hub-Signature-256"] == f"sha256={digest}"
    assert json.loads(body)["action"] == "opened"
    wait_for(lambda: len(list(repo.get_hook_deliveries(hook.id))) == 2, "the deliveries' log")
