"""GitHub Actions: workflows, runs, logs, secrets, variables, dispatches.

https://docs.github.com/rest/actions
"""

import base64
import re
from typing import Any

from fastapi import APIRouter, Request, Response
from nacl.exceptions import CryptoError
from nacl.public import PrivateKey, SealedBox
from pydantic import Field
from sqlalchemy import select

from sandbox.github import shapes, urls
from sandbox.github.errors import ApiError, not_found
from sandbox.github.routes.deps import Body, Here, Json, PageDep
from sandbox.github.runner.workflow import WorkflowError, parse
from sandbox.github.server import RepoSession
from sandbox.github.store import (
    ActionsSecret,
    ActionsVariable,
    EnvironmentSecret,
    Job,
    Run,
    Workflow,
    now,
)

router = APIRouter(prefix="/repos/{owner}/{name}")
_NAME = re.compile(r"(?!GITHUB_)[A-Z_][A-Z0-9_]*", re.IGNORECASE)


# -- secrets and variables


class Sealed(Body):
    """Body of "create or update a repository secret"."""

    encrypted_value: str
    key_id: str


class Variable(Body):
    """Body of "create a repository variable" and of "update"."""

    name: str | None = None
    value: str | None = None


def secret_name(name: str) -> str:
    """Return the name of a secret or variable, as GitHub keeps it.

    Raises:
        ApiError: 422, it cannot be one.
    """
    if not _NAME.fullmatch(name):
        raise ApiError(
            422,
            "Name can only contain alphanumeric characters ([a-z], [A-Z], [0-9]) or underscores "
            "(_), must not start with a number or with GITHUB_.",
        )
    return name.upper()


def key_id(repo_id: int) -> str:
    """Return the id of the key that secrets of a repository are sealed with."""
    return f"56838018251234{repo_id:04}"


def public_key(here: RepoSession) -> Json:
    """Return the key that secrets are sealed with."""
    key = PrivateKey(bytes.fromhex(here.repo.secret_key)).public_key
    return {"key_id": key_id(here.repo.id), "key": base64.b64encode(bytes(key)).decode()}


def opened(here: RepoSession, body: Sealed) -> str:
    """Return the value of a sealed secret.

    Raises:
        ApiError: 422, it was sealed with another key.
    """
    if body.key_id != key_id(here.repo.id):
        raise ApiError(422, "Key ID does not match the repository's public key")
    key = PrivateKey(bytes.fromhex(here.repo.secret_key))
    try:
        return SealedBox(key).decrypt(base64.b64decode(body.encrypted_value)).decode()
    except (CryptoError, ValueError):
        raise ApiError(422, "The encrypted value could not be opened with the public key") from None


@router.get("/actions/secrets/public-key")
def get_public_key(here: Here) -> Json:
    """Get the key that secrets are sealed with."""
    return public_key(here)


@router.get("/actions/secrets")
def list_secrets(here: Here, page: PageDep) -> Response:
    """List the secrets' names."""
    query = select(ActionsSecret).filter_by(repo_id=here.repo.id).order_by(ActionsSecret.name)
    return page.of(list(here.session.scalars(query)), dated, "secrets")


@router.put("/actions/secrets/{secret}", status_code=201)
def put_secret(here: Here, secret: str, body: Sealed, response: Response) -> Json:
    """Set a secret."""
    value, name = opened(here, body), secret_name(secret)
    row = here.session.get(ActionsSecret, (here.repo.id, name))
    if row is None:
        here.session.add(ActionsSecret(repo_id=here.repo.id, name=name, value=value))
    else:
        row.value, row.updated_at = value, now()
        response.status_code = 204
    return {}


@router.delete("/actions/secrets/{secret}", status_code=204)
def delete_secret(here: Here, secret: str) -> Response:
    """Delete a secret."""
    here.session.delete(_kept(here, ActionsSecret, secret))
    return Response(status_code=204)


@router.post("/actions/variables", status_code=201)
def create_variable(here: Here, body: Variable) -> Json:
    """Make a variable."""
    name = secret_name(body.name or "")
    if here.session.get(ActionsVariable, (here.repo.id, name)):
        raise ApiError(409, "Already exists - Variable already exists")
    row = ActionsVariable(repo_id=here.repo.id, name=name, value=body.value or "")
    here.session.add(row)
    return {}


@router.get("/actions/variables/{variable}")
def get_variable(here: Here, variable: str) -> Json:
    """Get a variable."""
    return _variable(_kept(here, ActionsVariable, variable))


@router.patch("/actions/variables/{variable}", status_code=204)
def edit_variable(here: Here, variable: str, body: Variable) -> Response:
    """Change a variable's value."""
    row = _kept(here, ActionsVariable, variable)
    row.value = row.value if body.value is None else body.value
    row.updated_at = now()
    return Response(status_code=204)


@router.delete("/actions/variables/{variable}", status_code=204)
def delete_variable(here: Here, variable: str) -> Response:
    """Delete a variable."""
    here.session.delete(_kept(here, ActionsVariable, variable))
    return Response(status_code=204)


def _kept[T: (ActionsSecret, ActionsVariable)](here: RepoSession, model: type[T], name: str) -> T:
    row = here.session.get(model, (here.repo.id, name.upper()))
    if row is None:
        raise not_found()
    return row


def dated(row: ActionsSecret | ActionsVariable | EnvironmentSecret) -> Json:
    """Return a secret, or what all variables show too: its name and dates."""
    return {"name": row.name, "created_at": row.created_at, "updated_at": row.updated_at}


def _variable(row: ActionsVariable) -> Json:
    return {**dated(row), "value": row.value}


# -- workflows


class Dispatch(Body):
    """Body of "create a workflow dispatch event"."""

    ref: str
    inputs: dict[str, Any] = Field(default_factory=dict)
    return_run_details: bool = False


def _workflows(here: RepoSession) -> list[Workflow]:
    query = select(Workflow).filter_by(repo_id=here.repo.id).order_by(Workflow.id)
    return list(here.session.scalars(query))


def _workflow(here: RepoSession, key: str) -> Workflow:
    for row in _workflows(here):
        if key in {str(row.id), row.path.rsplit("/", 1)[-1]}:
            return row
    raise not_found()


@router.get("/actions/workflows")
def list_workflows(here: Here, page: PageDep) -> Response:
    """List workflows."""
    return page.of(_workflows(here), lambda row: shapes.workflow(row, here.path), "workflows")


@router.get("/actions/workflows/{workflow}")
def get_workflow(here: Here, workflow: str) -> Json:
    """Get a workflow by id or file name."""
    return shapes.workflow(_workflow(here, workflow), here.path)


@router.post("/actions/workflows/{workflow}/dispatches", response_model=None)
def dispatch_workflow(here: Here, workflow: str, body: Dispatch) -> Json | Response:
    """Start a workflow that has `workflow_dispatch`.

    Runs are made after the answer, so it never has the run's details: it is 204, as from Enterprise
    Servers that are older than `return_run_details`.
    """
    row = _workflow(here, workflow)
    branch = body.ref.removeprefix("refs/heads/")
    sha = here.git.ref(f"refs/heads/{branch}")
    if sha is None:
        raise ApiError(422, f"No ref found for: {body.ref}")
    try:
        triggers = parse((here.git.file(sha, row.path) or b"").decode()).triggers
    except WorkflowError as error:
        raise ApiError(422, f"failed to parse workflow: {error}") from None
    if "workflow_dispatch" not in triggers:
        raise ApiError(422, "Workflow does not have 'workflow_dispatch' trigger")
    inputs = _inputs(triggers["workflow_dispatch"].inputs, body.inputs)
    here.emit("workflow_dispatch", ref=f"refs/heads/{branch}", workflow=row.path, inputs=inputs)
    return Response(status_code=204)


def _inputs(declared: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    if unexpected := sorted(given.keys() - declared.keys()):
        raise ApiError(422, f"Unexpected inputs provided: {unexpected}")
    inputs = {}
    for name, declaration in declared.items():
        rules = declaration or {}
        value = given.get(name, rules.get("default"))
        if value in (None, "") and rules.get("required"):
            raise ApiError(422, f"Required input '{name}' not provided")
        if rules.get("type") == "choice" and value not in rules.get("options", []):
            raise ApiError(422, f"Provided value '{value}' for input '{name}' not in the list")
        inputs[name] = value if value is not None else ""
    return inputs


# -- runs


def _run(here: RepoSession, number: int) -> Run:
    row = here.session.get(Run, number)
    if row is None or row.repo_id != here.repo.id:
        raise not_found()
    return row


def _run_json(here: RepoSession, row: Run) -> Json:
    workflow = here.session.get_one(Workflow, row.workflow_id)
    return shapes.run(row, here.repo, workflow.path, here.user(row.actor))


def _runs(here: RepoSession, request: Request) -> list[Run]:
    query = select(Run).filter_by(repo_id=here.repo.id).order_by(Run.id.desc())
    wanted = request.query_params
    status = wanted.get("status")
    return [
        row
        for row in here.session.scalars(query)
        if wanted.get("event") in {None, row.event}
        and wanted.get("branch") in {None, row.head_branch}
        and wanted.get("head_sha") in {None, row.head_sha}
        and wanted.get("actor") in {None, row.actor}
        and (status is None or status in {row.status, row.conclusion})
    ]


@router.get("/actions/runs")
def list_runs(here: Here, request: Request, page: PageDep) -> Response:
    """List workflow runs, newest first."""
    return page.of(_runs(here, request), lambda row: _run_json(here, row), "workflow_runs")


@router.get("/actions/workflows/{workflow}/runs")
def list_workflow_runs(here: Here, workflow: str, request: Request, page: PageDep) -> Response:
    """List the runs of a workflow, newest first."""
    number = _workflow(here, workflow).id
    rows = [row for row in _runs(here, request) if row.workflow_id == number]
    return page.of(rows, lambda row: _run_json(here, row), "workflow_runs")


@router.get("/actions/runs/{number}")
def get_run(here: Here, number: int) -> Json:
    """Get a workflow run."""
    return _run_json(here, _run(here, number))


@router.post("/actions/runs/{number}/cancel", status_code=202)
def cancel_run(here: Here, number: int, request: Request) -> Json:
    """Cancel a workflow run."""
    row = _run(here, number)
    if row.status == "completed":
        raise ApiError(409, "Cannot cancel a workflow run that is completed.")
    request.app.state.runner.cancel(row.id)
    return {}


def _jobs(here: RepoSession, run: Run) -> list[Job]:
    return list(here.session.scalars(select(Job).filter_by(run_id=run.id).order_by(Job.id)))


@router.get("/actions/runs/{number}/jobs")
def list_jobs(here: Here, number: int, page: PageDep) -> Response:
    """List a run's jobs."""
    run = _run(here, number)
    return page.of(_jobs(here, run), lambda row: shapes.job(row, here.path, run.head_sha), "jobs")


def _job(here: RepoSession, number: int) -> Job:
    row = here.session.get(Job, number)
    if row is None or row.repo_id != here.repo.id:
        raise not_found()
    return row


@router.get("/actions/jobs/{number}/logs")
def get_job_log(here: Here, number: int) -> Response:
    """Redirect to a job's log."""
    _job(here, number)
    location = urls.api(f"{here.path}/actions/jobs/{number}/logs.txt")
    return Response(status_code=302, headers={"Location": location})


@router.get("/actions/jobs/{number}/logs.txt")
def download_job_log(here: Here, number: int) -> Response:
    """Get a job's log as text."""
    return Response(_job(here, number).log, media_type="text/plain; charset=utf-8")
