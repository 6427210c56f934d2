"""Workflows: a real server runs real files of a real repository."""

import subprocess
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
permissions:
  contents: read
  pull-requests: write
jobs:
  report:
    if: ${{ !github.event.pull_request.draft }}
    runs-on: ubuntu-latest
    timeout-minutes: 2
    steps:
      - env:
          TITLE: ${{ github.event.pull_request.title }}
          SECRET: ${{ secrets.PORT_CLIENT_SECRET }}
        run: |
          echo "secret is $SECRET"
          echo "leak: ${LEAKED_FROM_HOST:-none}"
          echo "title: $TITLE, base ${{ vars.BASE }}"
      - name: Comment
        shell: bash
        env:
          TOKEN: ${{ github.token }}
          NUMBER: ${{ github.event.pull_request.number }}
          BRANCH: '{"ref": "refs/heads/evil", "sha": "${{ github.sha }}"}'
        run: |
          ask() {
            curl -sS -o /dev/null -w '%{http_code}' -H "Authorization: Bearer $TOKEN" \
              --json "$2" "$GITHUB_API_URL/repos/$GITHUB_REPOSITORY$1"
          }
          ask "/issues/$NUMBER/comments" '{"body": "reported"}'
          echo "refused with $(ask /git/refs "$BRANCH")"
  after:
    runs-on: ubuntu-24.04
    steps:
      - if: failure()
        run: echo never
      - if: always()
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
    assert "refused with 403" in log
    assert f"ref refs/heads/main sha {sha}" in log
    assert "never" not in log
    assert [comment.body for comment in pull.get_issue_comments()] == ["reported"]
    assert [job.conclusion for job in run.jobs()] == ["success", "success"]


def test_a_failed_step_fails_the_run_and_skips_the_rest(live: Live, repo: Repository) -> None:
    run = dispatch(
        repo,
        "      - run: exit 3\n      - run: echo after\n"
        "      - if: failure()\n        run: echo cleanup\n",
    )
    assert run.conclusion == "failure"
    steps = run.jobs()[0].steps
    assert [step.conclusion for step in steps] == ["failure", "skipped", "success"]
    assert "Process completed with exit code 3." in logs(live, repo, run)


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
    run = dispatch(repo, "      - run: sleep 300 & sleep 300\n", "    timeout-minutes: 0.005\n")
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
        "on: {workflow_dispatch: {inputs: {flag: {}}}}\nconcurrency: one\njobs: {a: {runs-on: "
        "ubuntu-latest, steps: [{run: 'while [ ! -e ${{ inputs.flag }} ]; do sleep 0.05; done'}]}}",
    )
    flag = live.log.parent / f"flag-{repo.name}"
    workflow = repo.get_workflow("ci.yml")
    workflow.create_dispatch("main", {"flag": str(flag)}, throw=True)
    wait_for(lambda: list(repo.get_workflow_runs(status="in_progress")), "the first run")
    for number in (2, 3):
        workflow.create_dispatch("main", {"flag": str(flag)}, throw=True)
        wait_for(lambda n=number: repo.get_workflow_runs().totalCount == n, "queueing")  # type: ignore[misc]
    # The second gave its place to the third.
    wait_for(lambda: list(repo.get_workflow_runs(status="cancelled")), "the cancellation")
    flag.write_text("")
    runs = finished(repo, "workflow_dispatch", 3)
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
        "on: push\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: 'echo $GITHUB_REF_NAME'}]}}",
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

    runs = {run.head_branch: run.conclusion for run in finished(repo, "push", 2)}
    assert runs["dev-1"] == "success"
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
