"""Propose a change in three requests: query, mutations, labels.

After an interruption, the next attempt begins with the query and finds what exists.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any, Literal

from github import GithubException
from github.Repository import Repository

from slipway.errors import BranchTaken, EntityExists, UserError
from slipway.github import documents
from slipway.github.comparison import Comparison
from slipway.github.models import Change, PullRequest
from slipway.github.retry import RetryBudget
from slipway.observability import logger

Json = dict[str, Any]
_PLAIN_FILE = 0o100644


@dataclass(frozen=True)
class Proposer:
    """Proposes one change.

    Attributes:
        repository: the services repository.
        full_name: its owner and name.
        url: its page.
        change: what to propose.
        comparison: compares commits with the change.
        retry_budget: for GitHub.
    """

    repository: Repository
    full_name: str
    url: str
    change: Change
    comparison: Comparison
    retry_budget: RetryBudget

    def propose(
        self,
        number: int | None,
        head: str | None,
        admit: Callable[[], None] | None,
        opened: Callable[[PullRequest], None] | None,
    ) -> PullRequest:
        """Open the pull request, or find it; see `ServicesRepository.propose`."""
        seen = self._look()
        pull = seen.pull_of(number)
        if pull is None:
            if admit:
                admit()
            pull = self._open(seen)
        elif head is None and pull["state"] == "OPEN":
            self._refuse_another(pull)
        found = described(pull, self.comparison.base_branch, ())
        if found.state != "open":
            return found
        if opened:
            opened(found)
        return replace(found, notes=self._decorate(seen, pull))

    def _look(self) -> "_Seen":
        owner, _, name = self.full_name.partition("/")
        change, base = self.change, self.comparison.base_branch
        at = change.base_commit or base
        reviewers = _Reviewers(change.reviewers)
        variables = {
            "owner": owner,
            "name": name,
            "base": f"refs/heads/{base}",
            "branch": change.branch,
            **_numbered("label", change.labels),
            **_numbered("user", reviewers.users),
            **_numbered("team", reviewers.teams),
            **_numbered("folder", [f"{at}:{folder}" for folder in self._folders]),
        }
        document = documents.look(
            len(change.labels), len(reviewers.users), len(reviewers.teams), len(self._folders)
        )
        answer = self._send(document, variables)
        if not _of(answer, "repository"):
            raise answer.refusal or GithubException(404, {"message": "Not Found"})
        return _Seen(answer, change, len(self._folders))

    @cached_property
    def _folders(self) -> list[str]:
        """The entity's folders, then those of the change's files below them."""
        entity = self.change.entity
        own = dict.fromkeys((*entity.folders, *sorted(entity.whole)))
        touched = {path.rpartition("/")[0] for path in self.change.files}
        return [*own, *sorted(touched - own.keys())]

    def _send(self, document: str, variables: Json, *, partly: bool = False) -> documents.Answer:
        requester = self.repository.requester
        return documents.send(requester, self.retry_budget, document, variables, partly=partly)

    def _open(self, seen: "_Seen") -> Json:
        base = self.change.base_commit or seen.base
        if self.change.creates and (folder := self._occupied(seen)) is not None:
            link = f"{self.url}/tree/{self.comparison.base_branch}/{folder}"
            raise EntityExists(self.change.entity.name, link)
        self._refuse_modes(seen)
        inputs, head = self._inputs(seen, base)
        answer = self._send(documents.propose(inputs), inputs)
        made = _of(answer, "createCommitOnBranch")
        if "ref" in inputs and _of(answer, "createRef") and not made and not _pull(answer):
            # Within one document, GitHub may not know the new branch yet: one mutation at a time.
            single = {"commit": inputs["commit"]}
            alone = self._send(documents.propose(single), single)
            if alone.refusal:
                raise alone.refusal
            made = _of(alone, "createCommitOnBranch")
            single = {"pull": inputs["pull"]}
            answer = self._send(documents.propose(single), single)
        with documents.reading():
            head = made["commit"]["oid"] if made else head
        pull = _pull(answer)
        if pull is None:
            return self._found_by_others(answer)
        if pull["headRefOid"] == head or self.comparison.is_change(pull["headRefOid"]):
            return pull
        self._send(documents.CLOSE, {"close": {"pullRequestId": pull["id"]}})
        number = pull["number"]
        what = f"The branch moved while pull request #{number} was opened. Slipway closed it again."
        raise BranchTaken(self.change.branch, what)

    def _occupied(self, seen: "_Seen") -> str | None:
        """Return the first folder with one of the entity's files, or None."""
        entity = self.change.entity
        for folder, tree in zip(self._folders, seen.folders, strict=True):
            names = [entry["name"] for entry in (tree or {}).get("entries") or ()]
            is_whole = tree is not None and folder in entity.whole
            if is_whole or any(entity.owns(f"{folder}/{name}".lstrip("/")) for name in names):
                return folder
        return None

    def _inputs(self, seen: "_Seen", base: str) -> tuple[dict[str, Json], str | None]:
        """Return the missing parts, and the head of a branch with the change."""
        change, inputs = self.change, dict[str, Json]()
        head, tip = None, seen.branch
        if tip is None:
            ref = f"refs/heads/{change.branch}"
            inputs["ref"] = {"repositoryId": seen.id, "name": ref, "oid": base}
        elif tip != base and not self.comparison.is_on_base(tip):
            head = tip
            if not self.comparison.is_change(tip):
                what = "The branch has commits that Slipway did not make."
                raise BranchTaken(change.branch, what)
        if head is None:
            inputs["commit"] = self._commit(tip or base)
        inputs["pull"] = {
            "repositoryId": seen.id,
            "baseRefName": self.comparison.base_branch,
            "headRefName": change.branch,
            "title": change.title,
            "body": change.body,
            "maintainerCanModify": False,
        }
        return inputs, head

    def _commit(self, parent: str) -> Json:
        files = sorted(self.change.files.items())
        return {
            "branch": {
                "repositoryNameWithOwner": self.full_name,
                "branchName": self.change.branch,
            },
            "expectedHeadOid": parent,
            # Without an author, GitHub uses the account that Slipway signs in as, and signs the
            # commit.
            "message": {"headline": self.change.title, "body": f"Branch: {self.change.branch}"},
            "fileChanges": {
                "additions": [
                    {"path": path, "contents": base64.b64encode(text.encode()).decode()}
                    for path, text in files
                    if text is not None
                ],
                "deletions": [{"path": path} for path, text in files if text is None],
            },
        }

    @documents.reading()
    def _refuse_modes(self, seen: "_Seen") -> None:
        """Refuse all but plain files: `createCommitOnBranch` writes no others."""
        for folder, tree in zip(self._folders, seen.folders, strict=True):
            for entry in (tree or {}).get("entries") or ():
                path = f"{folder}/{entry['name']}".lstrip("/")
                if self.change.files.get(path) is not None and entry["mode"] != _PLAIN_FILE:
                    raise UserError(
                        f"'{path}' is executable, a link or a folder, but Slipway changes plain "
                        "files only. Make the change in your own pull request."
                    )

    def _found_by_others(self, answer: documents.Answer) -> Json:
        """Return the pull request that a concurrent delivery opened."""
        if "already exists" not in answer.errors.get("createPullRequest", ""):
            raise answer.refusal or GithubException(400, {"message": "No pull request was opened."})
        pull = self._look().pull_of(None)
        if pull is None:
            what = "The branch has a pull request that Slipway did not open."
            raise BranchTaken(self.change.branch, what)
        self._refuse_another(pull)
        return pull

    def _refuse_another(self, pull: Json) -> None:
        if not self.comparison.is_change(pull["headRefOid"]):
            what = (
                f"Pull request #{pull['number']} no longer has the content that Slipway proposed."
            )
            raise BranchTaken(self.change.branch, what)

    def _decorate(self, seen: "_Seen", pull: Json) -> tuple[str, ...]:
        """Request reviews, then set the labels, which mark the end."""
        has = _labels_of(pull)
        missing = [label for label in self.change.labels if label not in has]
        if self.change.labels and not missing:
            return ()
        notes = list(seen.unreadable.items())
        variables: Json = {}
        for index, (_, field, identity) in enumerate(seen.reviewers):
            wanted = {"pullRequestId": pull["id"], field: [identity], "union": True}
            variables[f"reviewer{index}"] = wanted
        known = [seen.labels[label] for label in missing if label in seen.labels]
        if known:
            variables["labels"] = {"labelableId": pull["id"], "labelIds": known}
        if variables:
            document = documents.decorate(len(seen.reviewers), labels=bool(known))
            # The labels are set even if a reviewer could not be requested, so a failed request is
            # not repeated.
            answer = self._send(document, variables, partly=True)
            if known and "addLabelsToLabelable" in answer.errors and answer.refusal:
                raise answer.refusal
            notes += [
                (name, answer.errors[f"reviewer{index}"])
                for index, (name, _, _) in enumerate(seen.reviewers)
                if f"reviewer{index}" in answer.errors
            ]
        if len(known) < len(missing):
            # Only GitHub's REST API creates a missing label.
            # https://docs.github.com/rest/issues/labels#add-labels-to-an-issue
            url = f"{self.repository.url}/issues/{pull['number']}/labels"
            self.repository.requester.requestJsonAndCheck("POST", url, input={"labels": missing})
        for name, why in notes:
            logger.warning("reviewer refused", extra={"reviewer": name, "why": why})
        return tuple(f"GitHub did not request a review from {name}: {why}" for name, why in notes)


class _Reviewers:
    def __init__(self, named: tuple[str, ...]) -> None:
        self.users = [name for name in named if not name.startswith("team:")]
        self.teams = [name[5:] for name in named if name.startswith("team:")]


class _Seen:
    """The state on GitHub before the change is proposed."""

    @documents.reading()
    def __init__(self, answer: documents.Answer, change: Change, folders: int) -> None:
        repository: Json = answer.data["repository"]
        self.id: str = repository["id"]
        self.base: str = repository["base"]["target"]["oid"]
        self.branch: str | None = (repository["branch"] or {}).get("target", {}).get("oid")
        nodes: list[Json] = repository["pullRequests"]["nodes"]
        self._pulls = [_checked(node) for node in nodes if node]
        self.folders: list[Json | None] = [repository[f"folder{n}"] for n in range(folders)]
        self.labels = {
            label: repository[f"label{n}"]["id"]
            for n, label in enumerate(change.labels)
            if repository[f"label{n}"]
        }
        reviewers = _Reviewers(change.reviewers)
        teams = answer.data.get("organization") or {}
        found = [
            (login, "userIds", answer.data.get(f"user{n}"), f"user{n}")
            for n, login in enumerate(reviewers.users)
        ] + [
            (f"team {slug}", "teamIds", teams.get(f"team{n}"), f"organization.team{n}")
            for n, slug in enumerate(reviewers.teams)
        ]
        # A reviewer that cannot be read does not stop the change.
        self.reviewers = [(name, field, node["id"]) for name, field, node, _ in found if node]
        self.unreadable = {
            name: answer.errors.get(path) or answer.errors.get("organization") or "Not found."
            for name, _, node, path in found
            if not node
        }

    def pull_of(self, number: int | None) -> Json | None:
        """Return Slipway's newest pull request; a recorded number is Slipway's."""
        for pull in self._pulls:
            ours = pull["viewerDidAuthor"] or pull["number"] == number
            if ours and not pull["isCrossRepository"]:
                return pull
        return None


def described(pull: Json, base_branch: str, notes: tuple[str, ...]) -> PullRequest:
    """Convert a pull request from GraphQL's form."""
    kinds = {"number": int, "url": str, "headRefOid": str, "baseRefName": str}
    if not all(isinstance(pull[name], kind) for name, kind in kinds.items()):
        raise TypeError("a pull request without the shape of GitHub's schema")
    to_base = pull["baseRefName"] == base_branch
    states: dict[str, Literal["open", "closed", "merged"]] = {
        "OPEN": "open",
        "MERGED": "merged" if to_base else "closed",
    }
    ended = pull["mergedAt"] or pull["closedAt"]
    return PullRequest(
        number=pull["number"],
        url=pull["url"],
        state=states.get(pull["state"], "closed"),
        head_sha=pull["headRefOid"],
        opened_at=datetime.fromisoformat(pull["createdAt"]),
        ended_at=datetime.fromisoformat(ended) if ended else None,
        retargeted_to="" if to_base else pull["baseRefName"],
        notes=notes,
    )


def _checked(pull: Json) -> Json:
    """Return a pull request with all fields that are read later."""
    described(pull, "", ())
    _labels_of(pull)
    _ = pull["id"], pull["viewerDidAuthor"], pull["isCrossRepository"]
    return pull


def _labels_of(pull: Json) -> set[str]:
    return {label["name"] for label in pull["labels"]["nodes"]}


@documents.reading()
def _of(answer: documents.Answer, field: str) -> Json | None:
    value: Json | None = answer.data.get(field)
    return value


@documents.reading()
def _pull(answer: documents.Answer) -> Json | None:
    pull: Json | None = (_of(answer, "createPullRequest") or {}).get("pullRequest")
    return _checked(pull) if pull else None


def _numbered(kind: str, values: list[str] | tuple[str, ...]) -> dict[str, str]:
    return {f"{kind}{index}": value for index, value in enumerate(values)}
