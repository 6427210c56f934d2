"""The workflow files of a repository, as rows that the API lists."""

from sqlalchemy import select

from sandbox.github.runner.workflow import WorkflowError, parse
from sandbox.github.server import RepoSession
from sandbox.github.store import Workflow

FOLDER = ".github/workflows/"


def workflow_files(here: RepoSession, commit: str) -> dict[str, str]:
    """Path → text of the workflow files at a commit."""
    entries = here.git.tree(commit, path=FOLDER)
    return {
        entry.path: here.git.blob(entry.sha).decode(errors="replace")
        for entry in entries
        if entry.type == "blob" and entry.path.endswith((".yml", ".yaml"))
    }


def register(here: RepoSession, commit: str) -> None:
    """Note the workflows of a commit, so that they can be listed and dispatched."""
    for path, text in workflow_files(here, commit).items():
        row(here, path, text)


def row(here: RepoSession, path: str, text: str) -> Workflow:
    """Return the row of a workflow file, made or brought up to date."""
    try:
        name = parse(text).name or path
    except WorkflowError:
        name = path
    found = here.session.scalars(
        select(Workflow).filter_by(repo_id=here.repo.id, path=path)
    ).first()
    if found is None:
        found = Workflow(repo_id=here.repo.id, path=path, name=name, runs=0)
        here.session.add(found)
    found.name = name
    here.session.flush()
    return found
