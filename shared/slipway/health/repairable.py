"""Read and change the entity of a remediation by its reviewed files.

More people may edit Port's entities than the base branch, so a repair does not depend on Port's
values.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slipway.catalog.addresses import allowed_urls, health_url
from slipway.catalog.edits import edit_files
from slipway.catalog.entities import environment_of, read_entity, read_metadata
from slipway.catalog.expressions import references_of
from slipway.catalog.files import UpdateFile, WorkflowFile
from slipway.catalog.model import Action, Catalog
from slipway.catalog.planning import FilePlan, NothingToDo, Situation, WorkflowPlan, make_plan
from slipway.catalog.request import Request, Resource, Target, Tree, find_target, limits_of
from slipway.changes.policy import Policy
from slipway.changes.proposal import files_of
from slipway.errors import GitHubError, UserError
from slipway.github.models import EntityFiles, Place, Snapshot
from slipway.health.state import Reviewed
from slipway.reports.resources import find_entity

if TYPE_CHECKING:
    from slipway.github.repository import ServicesRepository
    from slipway.port.client import PortClient

# The requester, as the catalog's expressions see it.
_REQUESTER = {"id": "", "email": "", "name": "Slipway"}


@dataclass(frozen=True)
class Scaling:
    """An action that adds capacity, planned.

    Attributes:
        before: the number at the action's first edit.
        after: the number after that edit.
        plan: the change.
    """

    before: int
    after: int
    plan: FilePlan


@dataclass(frozen=True)
class Repairable:
    """An entity and its repository.

    Attributes:
        resource: the entity.
        repository: has its files.
        catalog: has its actions.
        policy: the approval policy, which has limits and settings.
    """

    resource: Resource
    repository: "ServicesRepository"
    catalog: Catalog
    policy: Policy

    @property
    def files(self) -> EntityFiles:
        """Its files in the repository."""
        return files_of(self.resource)

    def read(self) -> Snapshot:
        """Read its files on the base branch.

        Raises:
            UserError: a folder has more files than GitHub lists.
            GitHubUnavailable: GitHub throttles, fails or does not answer.
            GitHubError: GitHub refused.
        """
        scale = self._action("scale", UpdateFile)
        reader = self._target(scale, "", {}) if scale else self.resource
        return self.repository.read(self.files, reader.reads)

    def review(self) -> Reviewed:
        """Read environment and capacity; faults become sentences.

        Raises:
            GitHubUnavailable: GitHub throttles, fails or does not answer.
        """
        resource = self.resource
        try:
            snapshot = self.read()
            tree = Tree(snapshot.files, snapshot.texts)
            metadata = read_metadata(resource.kind, resource.identifier, resource.parts, tree)
            environment = environment_of(resource.kind, resource.parts, metadata)
        except (GitHubError, UserError) as error:
            return Reviewed(fault=str(error))
        url, url_fault, capacity, fault = None, "", None, ""
        settings = self.policy.settings
        try:
            reviewed = read_entity(
                resource.kind, resource.identifier, resource.parts, tree, settings
            )
            url = health_url(resource.kind, reviewed.entity, settings)
        except UserError as error:
            url_fault = str(error)
        try:
            capacity = self.capacity(tree)
        except UserError as error:
            fault = str(error)
        return Reviewed(
            environment=environment,
            replicas=capacity,
            health_url=url,
            allowed=allowed_urls(resource.kind, settings),
            replicas_fault=fault,
            url_fault=url_fault,
        )

    def restart(self, run_id: str) -> WorkflowPlan:
        """Plan the workflow that restarts it.

        Args:
            run_id: names the attempt.

        Raises:
            UserError: the kind has no such action, or it is not possible in the current state.
            GitHubUnavailable: GitHub throttles, fails or does not answer.
            GitHubError: GitHub refused.
        """
        action = self._required("restart", WorkflowFile)
        snapshot = self.read()
        plan = self._plan(action, run_id, {}, Tree(snapshot.files, snapshot.texts))
        if not isinstance(plan, WorkflowPlan):
            raise UserError("There is nothing to restart.")
        return plan

    def capacity(self, tree: Tree) -> int:
        """Return the number at the first edit of the action that adds capacity.

        Raises:
            UserError: the action or the number does not exist.
        """
        action = self._required("scale", UpdateFile)
        step = {_step_input(action): 1}
        target = self._target(action, "", step)
        context = {"inputs": target.inputs, **self._settings(action, target)}
        current = edit_files(_spec_of(action), target, tree, context).current
        if type(current) is not int:
            raise UserError(f"The value that '{action.identifier}' changes is not a whole number.")
        return current

    def scale(self, run_id: str, by: int, tree: Tree) -> Scaling:
        """Plan the action that adds capacity.

        Args:
            run_id: names the attempt.
            by: how much to add.
            tree: the entity's files.

        Raises:
            UserError: the kind has no such action, or it is not possible in the current state.
        """
        action = self._required("scale", UpdateFile)
        before = self.capacity(tree)
        plan = self._plan(action, run_id, {_step_input(action): by}, tree)
        if isinstance(plan, NothingToDo):
            raise UserError(plan.reason)
        if not isinstance(plan, FilePlan):
            raise UserError(f"'{action.identifier}' does not change a file.")
        texts = {path: text for path, text in plan.files.items() if text is not None}
        return Scaling(before, self.capacity(Tree(tree.files, {**tree.texts, **texts})), plan)

    def _settings(self, action: Action, target: Target) -> dict[str, Any]:
        limits = limits_of(action, self.policy.limits.get(action.identifier, {}))
        return {"limits": limits, "identifier": target.identifier, "parts": target.parts}

    def _plan(
        self, action: Action, run_id: str, inputs: Mapping[str, Any], tree: Tree
    ) -> FilePlan | WorkflowPlan | NothingToDo:
        situation = Situation(
            tree=tree,
            limits=self.policy.limits.get(action.identifier, {}),
            settings=self.policy.settings,
        )
        request = self._request(action, run_id, inputs)
        return make_plan(self._target(action, run_id, inputs), request, situation)

    def _target(self, action: Action, run_id: str, inputs: Mapping[str, Any]) -> Target:
        hints = {
            hint: self.resource.parts[part] for part, hint in self.resource.kind.spec.locate.items()
        }
        return find_target(self.catalog, self._request(action, run_id, inputs), hints)

    def _request(self, action: Action, run_id: str, inputs: Mapping[str, Any]) -> Request:
        return Request(
            run_id=run_id,
            action=action.identifier,
            entity=self.resource.identifier,
            inputs=inputs,
            requester=_REQUESTER,
        )

    def _action(self, repair: str, spec: type[UpdateFile] | type[WorkflowFile]) -> Action | None:
        health = self.resource.kind.spec.health
        name = getattr(health, repair) if health else None
        action = self.resource.kind.actions.get(name or "")
        return action if action and isinstance(action.spec, spec) else None

    def _required(self, repair: str, spec: type[UpdateFile] | type[WorkflowFile]) -> Action:
        action = self._action(repair, spec)
        if action is None:
            raise UserError(f"The catalog does not set health.{repair} for this kind.")
        return action


def find_repairable(
    key: str,
    catalog: Catalog,
    policy: Policy,
    port: "PortClient",
    repository: Callable[[Place], "ServicesRepository"],
) -> Repairable:
    """Find the entity of a remediation.

    Raises:
        UserError: the catalog lacks the kind, or the identifier does not match it.
    """
    resource = find_entity(catalog, port, key)
    place = policy.place(resource.repository)
    return Repairable(resource, repository(place), catalog, policy)


def _spec_of(action: Action) -> UpdateFile:
    if not isinstance(action.spec, UpdateFile):
        raise TypeError(f"'{action.identifier}' does not edit a file")
    return action.spec


def _step_input(action: Action) -> str:
    """Return the only input of an action's first edit."""
    _, edit = _spec_of(action).edits[0]
    inputs = references_of(edit.model_dump(exclude={"file", "path"}), "inputs")
    if len(inputs) != 1:
        raise UserError(
            f"The first edit of '{action.identifier}' must use exactly one input, so that Slipway "
            "knows how much it adds. Ask the platform team to correct the catalog."
        )
    return inputs.pop()
