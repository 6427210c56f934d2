"""What a job knows: the run that it belongs to, and its contexts and variables."""

from dataclasses import dataclass, field
from typing import Any

from sandbox.github.runner.evaluation import Scope, render, to_text
from sandbox.github.runner.workflow import Workflow
from sandbox.github.urls import API_PREFIX


@dataclass(frozen=True)
class RunInfo:
    """A workflow run.

    Attributes:
        run_id: the run's id.
        number: its number within the workflow.
        owner: of the repository.
        repo: the repository's name.
        event: what started it.
        payload: the event's webhook body.
        ref: the full reference that it runs for.
        sha: the commit that it runs for; for pull requests the merge commit.
        ids: of the repository, its owner and the actor, as the `github` context names them.
        private: whether the repository is.
        head_sha: the commit that its checks are shown at.
        actor: who caused the event.
        path: the workflow file.
        workflow: its content.
        base_url: where the server is.
        secrets: the repository's.
        variables: the repository's.
    """

    run_id: int
    number: int
    owner: str
    repo: str
    event: str
    payload: dict[str, Any]
    ref: str
    sha: str
    head_sha: str
    actor: str
    path: str
    workflow: Workflow
    base_url: str
    ids: dict[str, str] = field(default_factory=dict)
    private: bool = True
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    variables: dict[str, str] = field(default_factory=dict)

    def github(self) -> dict[str, Any]:
        """Return the `github` context, as far as it is known before a job runs.

        https://docs.github.com/actions/reference/contexts-reference#github-context
        """
        pull = self.payload.get("pull_request") or {}
        kind = "tag" if self.ref.startswith("refs/tags/") else "branch"
        full_name = f"{self.owner}/{self.repo}"
        return {
            **self.ids,
            "actor": self.actor,
            "triggering_actor": self.actor,
            "api_url": f"{self.base_url}{API_PREFIX}",
            "base_ref": pull.get("base", {}).get("ref", ""),
            "event": self.payload,
            "event_name": self.event,
            "graphql_url": f"{self.base_url}/api/graphql",
            "head_ref": pull.get("head", {}).get("ref", ""),
            "ref": self.ref,
            "ref_name": self.ref.split("/", 2)[2],
            "ref_type": kind,
            "repository": full_name,
            "repository_owner": self.owner,
            "run_attempt": "1",
            "run_id": str(self.run_id),
            "run_number": str(self.number),
            "server_url": self.base_url,
            "sha": self.sha,
            "workflow": self.workflow.name or self.path,
            "workflow_ref": f"{full_name}/{self.path}@{self.ref}",
            "workflow_sha": self.sha,
        }

    def shared(self) -> dict[str, Any]:
        """Return the contexts that are known everywhere."""
        inputs = self.payload.get("inputs") or {}
        return {"github": self.github(), "vars": self.variables, "inputs": inputs}


def default_variables(github: dict[str, Any]) -> dict[str, str]:
    """Return the variables that every step has.

    https://docs.github.com/actions/reference/variables-reference#default-environment-variables
    """
    names = [name for name in github if name not in {"event", "token"}]
    return {
        "CI": "true",
        "GITHUB_ACTIONS": "true",
        **{f"GITHUB_{name.upper()}": to_text(github[name]) for name in names},
    }


def rendered(values: dict[str, str], scope: Scope) -> dict[str, str]:
    """Return a mapping of texts with their expressions replaced."""
    return {name: to_text(render(value, scope)) for name, value in values.items()}
