"""Which jobs may use an environment, and what they are given by it.

https://docs.github.com/actions/reference/workflows-and-actions/deployments-and-environments
"""

from sqlalchemy import select

from sandbox.github.runner.context import RunInfo
from sandbox.github.runner.triggers import matches
from sandbox.github.server import RepoSession
from sandbox.github.store import Environment, EnvironmentSecret


class EnvironmentRefused(Exception):
    """The environment is not for this branch."""


def environment_secrets(here: RepoSession, info: RunInfo, name: str) -> dict[str, str]:
    """Return the secrets of an environment, which is made if it is not there.

    Raises:
        EnvironmentRefused: the run's branch may not use it.
    """
    rows = here.session.scalars(select(Environment).filter_by(repo_id=here.repo.id))
    row = next((one for one in rows if one.name.casefold() == name.casefold()), None)
    if row is None:
        row = Environment(repo_id=here.repo.id, name=name, patterns=[])
        here.session.add(row)
        here.session.flush()
    shown = _branch(info)
    if not _may_use(here, row, shown):
        raise EnvironmentRefused(
            f'Branch "{shown}" is not allowed to deploy to {row.name} due to environment '
            "protection rules."
        )
    found = here.session.scalars(select(EnvironmentSecret).filter_by(environment_id=row.id))
    return {secret.name: secret.value for secret in found}


def _branch(info: RunInfo) -> str:
    """Return what the rules look at: for pull requests the merge reference, since 2025-12-08."""
    if info.event == "pull_request":
        return f"refs/pull/{info.payload['pull_request']['number']}/merge"
    return info.ref.removeprefix("refs/heads/")


def _may_use(here: RepoSession, row: Environment, branch: str) -> bool:
    policy = row.branch_policy
    if policy is None:
        return True
    if policy["protected_branches"]:
        return branch in here.repo.protections
    return any(matches(pattern, branch) for pattern in row.patterns)
