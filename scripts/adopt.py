"""Adopt existing resources: open pull requests with their metadata.

Without `--apply`, the command shows what it would do. It never overwrites a metadata file. It lists
what it cannot adopt, and why. The report of the merge writes the entity. If the metadata already
exists, this command writes the entity.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from github.Repository import Repository
from rich.console import Console
from rich.table import Table
from slipway.approvals.settings import ApprovalConfig
from slipway.catalog.documents import read_document
from slipway.catalog.entities import environment_of, read_entity, team_of
from slipway.catalog.model import Kind
from slipway.catalog.request import Resource, Tree
from slipway.changes.policy import Policy
from slipway.changes.policy_document import read_policy
from slipway.changes.proposal import fenced, files_of, preview
from slipway.config import load
from slipway.errors import ConfigurationError, UserError
from slipway.github.ended import EndedPulls
from slipway.github.models import Change, Place, blob_sha
from slipway.github.repository import ServicesRepository
from slipway.port.models import Entity
from slipway.reports.report import Reports, adoption_branch
from slipway.reports.settings import ReportingConfig
from slipway.runs.catalogs import newest_catalog
from slipway.runs.clients import port_client, services_repository
from slipway.runs.ledger import Ledger

from scripts.adoption import create_of, find_resources, inputs_in_port, make_metadata
from scripts.cli import add_names, start, table_console
from scripts.installed import EnvFile, NamePrefix, connect, refusals

_EVERY = "*"
# GitHub allows 80 content-creating requests a minute, and a pull request takes several.
# https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits
_MOST = 20
_PATIENCE = 120.0

State = Literal["adopted", "entity", "proposed", "propose", "later", "refused"]


@dataclass(frozen=True)
class Row:
    """What is or was done about a resource.

    Attributes:
        name: its identifier, or the place that is not a valid resource.
        repository: `owner/name`.
        state: `adopted`: nothing to do. `entity`: only its entity is written. `proposed`: its pull
            request is open. `propose`: its pull request is opened. `later`: not in this call.
            `refused`: it cannot be adopted.
        text: what people read.
    """

    name: str
    repository: str
    state: State
    text: str


class AdoptConfig(ApprovalConfig, ReportingConfig):
    """Settings of the deployed sweep, whose environment this command uses."""


@dataclass(frozen=True)
class Adoption:
    """Adopts the resources of a kind.

    Attributes:
        config: of the installation.
        policy: the policy document.
        kind: the kind.
        values: identifier → values of the create's form; `*`: of all.
        most: how many pull requests are made at most.
        write: whether anything is done.
    """

    config: AdoptConfig
    policy: Policy
    kind: Kind
    values: Mapping[str, Mapping[str, Any]]
    most: int
    write: bool

    def rows(self) -> Iterator[Row]:
        """Adopt the resources one by one.

        Raises:
            SlipwayError: Port or GitHub does not answer, or refuses.
        """
        left = self.most
        for place, keys in self._places():
            repository = services_repository(self.config, place, retry_budget=_PATIENCE)
            paths = repository.using("list the files", _paths)
            for key in sorted(keys):
                search = find_resources(self.kind, key, paths, keys)
                for name, why in sorted(search.refused.items()):
                    yield Row(name, place.name, "refused", why)
                for _, resource in sorted(search.resources.items()):
                    row = self._adopt(resource, repository, may_propose=left > 0)
                    left -= row.state == "propose"
                    yield row

    def _places(self) -> Iterator[tuple[Place, set[str]]]:
        """Yield the repositories that may have the kind, each with its keys."""
        pattern, found = self.kind.repository, dict[str, tuple[Place, set[str]]]()
        for key, place in self.policy.repositories.items():
            fits = (
                self.kind.parts[pattern.parts[0]].accepts(key)
                if pattern.parts
                else (key == pattern.text)
            )
            if fits:
                found.setdefault(place.name.casefold(), (place, set()))[1].add(key)
        if not found:
            raise ConfigurationError(
                f"No repository of the installation may have '{self.kind.name}'."
            )
        yield from found.values()

    def _adopt(
        self, resource: Resource, repository: ServicesRepository, *, may_propose: bool
    ) -> Row:
        snapshot = repository.read(files_of(resource), resource.reads)
        tree = Tree(snapshot.files, snapshot.texts)
        path = resource.kind.metadata.fill(resource.parts)
        entity = port_client().get_entity(resource.blueprint, resource.identifier)
        state: State
        try:
            if path in tree.files:
                self._read(resource, tree)
                state, text = "adopted" if entity else "entity", ""
                if self.write and not entity:
                    text = self._reports(repository).adopt(resource, tree)
            else:
                made = self._metadata(resource, entity)
                notes = self._read(resource, _with(tree, path, made))
                change = self._change(resource, path, made, notes, snapshot.commit)
                state, text = self._propose(repository, change, notes, may_propose=may_propose)
        except UserError as error:
            state, text = "refused", str(error)
        return Row(resource.identifier, repository.place.name, state, text)

    def _propose(
        self,
        repository: ServicesRepository,
        change: Change,
        notes: list[str],
        *,
        may_propose: bool,
    ) -> tuple[State, str]:
        """Open the pull request unless there is one.

        Raises:
            UserError: it was closed, or what it added was removed again.
        """
        pull = repository.find(change.branch)
        if pull is not None and pull.state == "closed":
            raise UserError(
                f"Its pull request was closed without a merge: {pull.url}. Reopen it there."
            )
        if pull is not None and pull.state == "merged":
            raise UserError(
                f"Its metadata was removed after {pull.url} was merged. Add it by hand."
            )
        if pull is not None:
            return "proposed", pull.url
        if not may_propose:
            return "later", f"this command opens at most {self.most} pull requests per call"
        made = repository.propose(change).url if self.write else ""
        return "propose", " ".join([made, *notes]).strip()

    def _metadata(self, resource: Resource, entity: Entity | None) -> str:
        action, _ = create_of(resource.kind)
        shared = {
            name: value
            for name, value in self.values.get(_EVERY, {}).items()
            if name in action.form.inputs
        }
        known = {**entity.properties, **entity.relations} if entity else {}
        return make_metadata(
            resource,
            {
                **shared,
                **inputs_in_port(resource.kind, known),
                **self.values.get(resource.identifier, {}),
            },
            limits=self.policy.limits.get(action.identifier, {}),
            settings=self.policy.settings,
        )

    def _read(self, resource: Resource, tree: Tree) -> list[str]:
        """Read the entity as its report will; return what Port will not show.

        Raises:
            UserError: its metadata is not valid, or does not name the environment.
        """
        kind, parts = resource.kind, resource.parts
        said = read_entity(kind, resource.identifier, parts, tree, self.policy.settings)
        environment_of(kind, parts, said.metadata)
        return list(said.notes.values())

    def _change(
        self, resource: Resource, path: str, text: str, notes: list[str], commit: str
    ) -> Change:
        team = team_of(resource.kind, resource.parts, read_document(text, "json").value())
        about = (
            f"{resource.name} is there, but Slipway does not know it yet. This pull request adds "
            "the file that it knows its resources by, and changes nothing else. Check the values: "
            "the approval policy and the entity in Port go by them."
        )
        then = "Merging it writes the entity in Port. From then on, actions work on it."
        body = "\n\n".join([about, fenced(preview({}, {path: text})), *notes, then])
        return Change(
            entity=files_of(resource),
            branch=adoption_branch(resource),
            title=f"Adopt {resource.kind.blueprint.title.lower()} {resource.identifier}",
            body=body,
            files={path: text},
            labels=("slipway",),
            reviewers=tuple(self.policy.team_reviewers.get(team, ())),
            base_commit=commit,
        )

    def _reports(self, repository: ServicesRepository) -> Reports:
        return Reports(
            EndedPulls(repository),
            port_client(),
            Ledger(self.config.runs_table),
            self.config,
            self.policy.settings,
            self.policy.keys_of(repository.place),
        )


def _paths(repository: Repository, branch: str) -> list[str]:
    commit = repository.get_git_ref(f"heads/{branch}").object.sha
    tree = repository.get_git_tree(commit, recursive=True)
    if tree.truncated:
        raise UserError(
            "The repository has more files than GitHub lists at once, so its resources cannot be "
            "found. Add their metadata by pull requests of your own."
        )
    return [item.path for item in tree.tree if item.type == "blob"]


def _with(tree: Tree, path: str, text: str) -> Tree:
    return Tree({**tree.files, path: blob_sha(text)}, {**tree.texts, path: text})


def read_values(path: Path | None, kind: Kind) -> dict[str, dict[str, Any]]:
    """Read the file of values, by identifier or `*` for all.

    The values are those of the create action's form.

    Raises:
        ConfigurationError: the file cannot be read or is not valid.
    """
    if path is None:
        return {}
    try:
        syntax: Any = "json" if path.suffix == ".json" else "yaml"
        found = read_document(path.read_text(encoding="utf-8"), syntax).value()
    except (OSError, UnicodeDecodeError, UserError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from None
    values = {str(name): one for name, one in found.items()}
    if wrong := [name for name, one in values.items() if not isinstance(one, dict)]:
        raise ConfigurationError(f"{path}: '{wrong[0]}' must be a mapping of inputs to values.")
    inputs = create_of(kind)[0].form.inputs
    for name, one in values.items():
        if unknown := sorted(set(one) - inputs.keys()):
            raise ConfigurationError(f"{path}: the form has no input '{unknown[0]}' ('{name}').")
    return values


def show(console: Console, rows: list[Row], *, write: bool) -> None:
    """Show what is or was done about each resource."""
    words: dict[State, str] = {
        "adopted": "adopted already",
        "entity": "entity written" if write else "entity would be written",
        "proposed": "waits for a merge",
        "propose": "proposed" if write else "would be proposed",
        "later": "not in this call",
        "refused": "cannot be adopted",
    }
    table = Table("", "Repository")
    add_names(table, "Resource", [row.name for row in rows])
    table.add_column("", overflow="fold")
    for row in rows:
        table.add_row(words[row.state], row.repository, row.name, row.text)
    console.print(table)


def main(
    kind: Annotated[str, typer.Argument(help="The kind, as its folder in the catalog is named.")],
    *,
    write: Annotated[
        bool, typer.Option("--apply/--dry-run", help="Open pull requests, or only show them.")
    ] = False,
    values: Annotated[
        Path | None,
        typer.Option(help="Values of the create's form: identifier, or '*', to inputs."),
    ] = None,
    most: Annotated[
        int, typer.Option(min=1, help="Maximum number of pull requests to open.")
    ] = _MOST,
    env_file: EnvFile = None,
    name_prefix: NamePrefix = "slipway",
) -> None:
    """Propose metadata for existing resources, so that actions work on them."""
    console = table_console()
    with refusals("adopt", Console(stderr=True)):
        connect(env_file, name_prefix)
        config: AdoptConfig = load(AdoptConfig)
        kinds = newest_catalog(config).kinds
        if kind not in kinds:
            known = ", ".join(sorted(kinds))
            raise ConfigurationError(f"The deployed catalog has no kind '{kind}': {known}.")
        policy = read_policy(config.records_bucket, config.policy_key).policy
        given = read_values(values, kinds[kind])
        adoption = Adoption(config, policy, kinds[kind], given, most, write)
        rows = list(adoption.rows())
        show(console, rows, write=write)
        if not write and any(row.state in {"entity", "propose"} for row in rows):
            console.print("To open the pull requests, add --apply.")


if __name__ == "__main__":
    start(main, "service --values values.yaml")
