"""GraphQL: a part of GitHub's schema, executed by graphql-core.

As GraphQL has it, each mutation of a document is carried out by itself, one after the other: one
that fails is null beside an error, and those after it are carried out all the same.
https://spec.graphql.org/October2021/#sec-Handling-Field-Errors
"""

import base64
import binascii
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import graphql
from fastapi import APIRouter
from sqlalchemy import func, select

from sandbox.github import permissions, pull_requests, shapes, urls
from sandbox.github.auth import Actor
from sandbox.github.errors import ApiError
from sandbox.github.git import Commit, GitError, Person, TreeEntry
from sandbox.github.routes import issues, pulls
from sandbox.github.routes.deps import ActorDep, Body, Json, ServerDep
from sandbox.github.routes.gitdata import person
from sandbox.github.server import RepoSession, Server, teams_of
from sandbox.github.store import Account, Issue, Label, Pull, Repo, Team

router = APIRouter()
_SCHEMA = graphql.build_schema((Path(__file__).parents[1] / "schema.graphql").read_text())


class Request(Body):
    """Body of a GraphQL request."""

    query: str
    variables: dict[str, Any] | None = None


@router.post("/api/graphql")
def execute(server: ServerDep, actor: ActorDep, body: Request) -> Json:
    """Execute a query or mutation."""
    if actor.kind == "anonymous":
        raise ApiError(401, "This endpoint requires you to be authenticated.")

    def spoil(resolve: Any, root: Any, info: graphql.GraphQLResolveInfo[Any], **given: Any) -> Any:
        """Carry a mutation out, or not, and have it fail either way."""
        fault = None
        if info.parent_type.name == "Mutation":
            fault = server.faults.take("POST", "/api/graphql", info.field_name)
        made = None if fault and fault.when == "before" else resolve(root, info, **given)
        if fault:
            message = "Something went wrong while executing your query."
            raise graphql.GraphQLError(message, extensions=fault.body)
        return made

    result = graphql.graphql_sync(
        _SCHEMA,
        body.query,
        root_value=_Root(server, actor),
        variable_values=body.variables,
        middleware=[spoil],
    )
    answer: Json = {"data": result.data}
    if result.errors:
        # GitHub puts the kind of an error beside its message.
        shown = [error.formatted for error in result.errors]
        answer["errors"] = [
            {**{k: v for k, v in error.items() if k != "extensions"}, **error.get("extensions", {})}
            for error in shown
        ]
    return answer


def _refusal(kind: str, message: str) -> graphql.GraphQLError:
    return graphql.GraphQLError(message, extensions={"type": kind})


def _unknown(node: str) -> graphql.GraphQLError:
    return _refusal("NOT_FOUND", f"Could not resolve to a node with the global id of '{node}'")


class _Root:
    """Resolvers; graphql-core calls the method of a field's name."""

    def __init__(self, server: Server, actor: Actor) -> None:
        self._server = server
        self._actor = actor

    # -- queries

    def viewer(self, _info: object) -> Json:
        return self._account("login", self._actor.login)

    def user(self, _info: object, login: str) -> Json:
        return self._account("user", login)

    def organization(self, _info: object, login: str) -> Json:
        return {**self._account("organization", login), "team": self._team(login)}

    def repository(self, _info: object, owner: str, name: str, **_: Any) -> Json:
        with self._here(owner, name, "GET", "") as here:
            identity = shapes.node_id("Repository", here.repo.id)

        def read[T](path: str, ask: Callable[[RepoSession], T]) -> T:
            with self._here(owner, name, "GET", path) as here:
                return ask(here)

        return {
            "id": identity,
            "nameWithOwner": f"{owner}/{name}",
            "label": lambda _info, name: read("/labels", lambda here: _label(here, name)),
            "object": lambda _info, **which: read("/git/", lambda here: _found(here, **which)),
            "ref": lambda _info, **which: read(
                "/git/", lambda here: _ref(here, which["qualifiedName"])
            ),
            "pullRequests": lambda _info, **which: read(
                "/pulls", lambda here: _connection(_listed(here, **which), which.get("first"))
            ),
        }

    def _account(self, kind: str, login: str) -> Json:
        with self._server.store.read() as session:
            wanted = func.lower(Account.login) == login.lower()
            found = session.scalars(select(Account).where(wanted)).first()
        if found is None:
            what = f"Could not resolve to a {kind.title()} with the login of '{login}'."
            raise _refusal("NOT_FOUND", what)
        return _account(found)

    def _team(self, login: str) -> Callable[..., Json | None]:
        def team(_info: object, slug: str) -> Json | None:
            granted = self._actor.permissions
            if granted is not None and "members" not in granted:
                raise _refusal("FORBIDDEN", "Resource not accessible by integration")
            with self._server.store.read() as session:
                found = session.scalars(select(Team).filter_by(org=login, slug=slug)).first()
            return {"id": shapes.node_id("Team", found.id), "slug": slug} if found else None

        return team

    # -- mutations

    def createRef(self, _info: object, input: Json) -> Json:  # noqa: A002, N802
        name, oid = input["name"], input["oid"]
        with self._repository(input["repositoryId"], "POST", "/git/refs") as here:
            if here.git.object_type(oid) != "commit" or not here.git.valid_ref(name):
                raise _refusal("UNPROCESSABLE", "Ref cannot be created.")
            if here.git.ref(name):
                what = f'A ref named "{name}" already exists in the repository.'
                raise _refusal("UNPROCESSABLE", what)
            here.git.update_ref(name, oid, None)
            pull_requests.ref_changed(here, name, None, oid)
            return {**_echo(input), "ref": _ref(here, name)}

    def createCommitOnBranch(self, _info: object, input: Json) -> Json:  # noqa: A002, N802
        branch = input["branch"]
        owner, _, name = (branch.get("repositoryNameWithOwner") or "").partition("/")
        ref = f"refs/heads/{branch.get('branchName')}"
        with self._here(owner, name, "POST", "/git/commits") as here:
            tip = here.git.ref(ref)
            if tip is None:
                what = f'No ref matching "{branch.get("branchName")}" found in the repository.'
                raise _refusal("NOT_FOUND", what)
            if tip != input["expectedHeadOid"]:
                what = f'Expected branch to point to "{input["expectedHeadOid"]}" but it did not.'
                raise _refusal("STALE_DATA", f"{what}  Pull and try again.")
            sha = _commit(here, tip, input)
            here.git.update_ref(ref, sha, tip)
            pull_requests.ref_changed(here, ref, tip, sha)
            made = _commit_json(here, here.git.commit(sha))
            return {**_echo(input), "commit": made, "ref": _ref(here, ref)}

    def createPullRequest(self, _info: object, input: Json) -> Json:  # noqa: A002, N802
        with self._repository(input["repositoryId"], "POST", "/pulls") as here:
            wanted = pulls.NewPull(
                head=input["headRefName"],
                base=input["baseRefName"],
                title=input["title"],
                body=input.get("body"),
                draft=input["draft"],
                maintainer_can_modify=input["maintainerCanModify"],
            )
            number = pulls.create_pull(here, wanted)["number"]
            return {**_echo(input), "pullRequest": _pull(here, here.pull(number))}

    def addLabelsToLabelable(self, _info: object, input: Json) -> Json:  # noqa: A002, N802
        ids = [_number(node, "Label") for node in input["labelIds"]]
        with self._pull(input["labelableId"], "POST", "/labels") as (here, pull):
            query = select(Label.name).where(Label.repo_id == here.repo.id, Label.id.in_(ids))
            names = list(here.session.scalars(query))
            if len(names) != len(set(ids)):
                raise _unknown(input["labelIds"][0])
            issues.add_labels(here, pull.issue.number, {"labels": [*names]})
            return _echo(input)

    def requestReviews(self, _info: object, input: Json) -> Json:  # noqa: A002, N802
        users = [_number(node, "User") for node in input.get("userIds") or []]
        teams = [_number(node, "Team") for node in input.get("teamIds") or []]
        with self._pull(input["pullRequestId"], "POST", "/pulls") as (here, pull):
            accounts = select(Account.login).where(Account.id.in_(users))
            slugs = select(Team.slug).where(Team.id.in_(teams))
            wanted = pulls.Reviewers(
                reviewers=list(here.session.scalars(accounts)),
                team_reviewers=list(here.session.scalars(slugs)),
            )
            if not input["union"]:
                pull.reviewers, pull.review_teams = [], []
            pulls.request_reviewers(here, pull.issue.number, wanted)
            return {**_echo(input), "pullRequest": _pull(here, pull)}

    def closePullRequest(self, _info: object, input: Json) -> Json:  # noqa: A002, N802
        with self._pull(input["pullRequestId"], "PATCH", "/pulls") as (here, pull):
            pulls.edit_pull(here, pull.issue.number, pulls.ChangedPull(state="closed"))
            return {**_echo(input), "pullRequest": _pull(here, pull)}

    def updatePullRequestBranch(self, _info: object, input: Json) -> Json:  # noqa: A002, N802
        method: Literal["merge", "rebase"] = (
            "rebase" if input.get("updateMethod") == "REBASE" else "merge"
        )
        with self._pull(input["pullRequestId"], "PATCH", "/pulls") as (here, pull):
            pull_requests.update_branch(here, pull, input.get("expectedHeadOid"), method)
            return {**_echo(input), "pullRequest": _pull(here, pull)}

    def markPullRequestReadyForReview(self, _info: object, input: Json) -> Json:  # noqa: A002, N802
        return self._draft(input, draft=False)

    def convertPullRequestToDraft(self, _info: object, input: Json) -> Json:  # noqa: A002, N802
        return self._draft(input, draft=True)

    def _draft(self, given: Json, *, draft: bool) -> Json:
        with self._pull(given["pullRequestId"], "PATCH", "/pulls") as (here, pull):
            if pull.draft != draft:
                pull.draft = draft
                action = "converted_to_draft" if draft else "ready_for_review"
                pull_requests.emit(here, pull, action)
            return {**_echo(given), "pullRequest": _pull(here, pull)}

    # -- transactions

    @contextmanager
    def _here(self, owner: str, name: str, method: str, path: str) -> Iterator[RepoSession]:
        """Provide a transaction on a repository; what REST refuses is refused in GraphQL's form."""
        try:
            with self._server.open(owner, name, self._actor, write=method != "GET") as here:
                teams = teams_of(here.session, here.repo.owner, self._actor.login)
                permissions.check(self._actor, here.repo, teams, method, path)
                yield here
        except ApiError as error:
            kinds = {403: "FORBIDDEN", 404: "NOT_FOUND"}
            said = [
                str(one.get("message") or one) if isinstance(one, dict) else str(one)
                for one in error.errors or []
            ]
            what = " ".join(said) or error.message
            raise _refusal(kinds.get(error.status, "UNPROCESSABLE"), what) from None

    @contextmanager
    def _repository(self, node: str, method: str, path: str) -> Iterator[RepoSession]:
        with self._server.store.read() as session:
            repo = session.get(Repo, _number(node, "Repository"))
        if repo is None:
            raise _unknown(node)
        with self._here(repo.owner, repo.name, method, path) as here:
            yield here

    @contextmanager
    def _pull(self, node: str, method: str, path: str) -> Iterator[tuple[RepoSession, Pull]]:
        with self._server.store.read() as session:
            query = select(Repo, Issue.number).join(Issue, Issue.repo_id == Repo.id)
            row = session.execute(query.filter(Issue.id == _number(node, "PullRequest"))).first()
        if row is None:
            raise _unknown(node)
        repo, number = row
        below = path if path == "/labels" else f"{path}/{number}"
        with self._here(repo.owner, repo.name, method, below) as here:
            yield here, here.pull(number)


def _number(node: str, kind: str) -> int:
    try:
        found, _, number = base64.urlsafe_b64decode(node).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise _unknown(node) from None
    if found != kind or not number.isdigit():
        raise _unknown(node)
    return int(number)


def _echo(given: Json) -> Json:
    return {"clientMutationId": given.get("clientMutationId")}


def _account(found: Account) -> Json:
    return {
        "__typename": "User",
        "id": shapes.node_id("User", found.id),
        "login": found.login,
        "url": urls.web(f"/{found.login}"),
        "avatarUrl": urls.web(f"/_sandbox/avatar/{found.login}"),
        "resourcePath": f"/{found.login}",
    }


def _label(here: RepoSession, name: str) -> Json | None:
    same = func.lower(Label.name) == name.lower()
    query = select(Label).where(Label.repo_id == here.repo.id, same)
    found = here.session.scalars(query).first()
    return _label_json(found) if found else None


def _label_json(found: Label) -> Json:
    return {"id": shapes.node_id("Label", found.id), "name": found.name}


def _connection(items: list[Json], first: int | None) -> Json:
    if first is None or not 0 <= first <= 100:
        raise _refusal("EXCESSIVE_PAGINATION", "You must provide a `first` of at most 100.")
    return {"nodes": items[:first], "totalCount": len(items)}


def _listed(
    here: RepoSession,
    headRefName: str | None = None,  # noqa: N803
    baseRefName: str | None = None,  # noqa: N803
    states: list[str] | None = None,
    orderBy: Json | None = None,  # noqa: N803
    **_: Any,
) -> list[Json]:
    query = select(Pull).join(Issue).where(Pull.repo_id == here.repo.id)
    if headRefName is not None:
        query = query.where(Pull.head_ref == headRefName)
    if baseRefName is not None:
        query = query.where(Pull.base_ref == baseRefName)
    downwards = (orderBy or {}).get("direction") == "DESC"
    rows = here.session.scalars(query.order_by(Issue.id.desc() if downwards else Issue.id))
    found = [_pull(here, row) for row in rows]
    return [pull for pull in found if states is None or pull["state"] in states]


def _pull(here: RepoSession, pull: Pull) -> Json:
    here.session.flush()
    body = pull_requests.pull_json(here, pull, full=False)
    labels = [_label_json(label) for label in pull.issue.labels]
    author = here.account(pull.issue.user)
    return {
        "id": body["node_id"],
        "number": body["number"],
        "url": body["html_url"],
        "title": body["title"],
        "isDraft": body["draft"],
        "state": "MERGED" if body["merged_at"] else body["state"].upper(),
        "isCrossRepository": pull.fork_id is not None,
        "viewerDidAuthor": pull.issue.user == here.actor.login,
        "author": _account(author) if author else None,
        "baseRefName": pull.base_ref,
        "headRefName": pull.head_ref,
        "headRefOid": pull.head_sha,
        "createdAt": body["created_at"],
        "closedAt": body["closed_at"],
        "mergedAt": body["merged_at"],
        "labels": lambda _info, first=None: _connection(labels, first),
    }


# -- git objects


def _ref(here: RepoSession, name: str) -> Json | None:
    full = name if name.startswith("refs/") else f"refs/heads/{name}"
    sha = here.git.ref(full)
    if sha is None:
        return None
    prefix, _, short = full.removeprefix("refs/").partition("/")
    identity = base64.urlsafe_b64encode(f"Ref:{here.repo.id}:{full}".encode()).decode()
    target = _object_json(here, sha)
    return {"id": identity, "name": short, "prefix": f"refs/{prefix}/", "target": target}


def _found(here: RepoSession, expression: str | None = None, oid: str | None = None) -> Json | None:
    """Return what a revision, or `revision:path`, stands for."""
    revision, colon, path = (expression or "").partition(":")
    if oid is not None or not colon:
        sha = oid or here.git.resolve(revision)
        return _object_json(here, sha) if sha and here.git.object_type(sha) else None
    commit = here.git.resolve(revision)
    if commit is None:
        return None
    if not path:
        return _object_json(here, here.git.commit(commit).tree)
    entries = here.git.tree(commit, path=path.rstrip("/"))
    return _object_json(here, entries[0].sha) if entries else None


def _object_json(here: RepoSession, sha: str) -> Json | None:
    kind = here.git.object_type(sha)
    identity = base64.urlsafe_b64encode(f"{kind}:{here.repo.id}:{sha}".encode()).decode()
    shared = {"id": identity, "oid": sha}
    if kind == "commit":
        return {**shared, **_commit_json(here, here.git.commit(sha))}
    if kind == "tree":

        def entries(_info: object) -> list[Json]:
            return [_entry_json(here, entry) for entry in here.git.tree(sha)]

        return {**shared, "__typename": "Tree", "entries": entries}
    if kind == "blob":
        return {**shared, "__typename": "Blob", **_blob_json(here.git.blob(sha))}
    return None  # A submodule's commit is in another repository.


def _entry_json(here: RepoSession, entry: TreeEntry) -> Json:
    return {
        "name": entry.path,
        "mode": int(entry.mode, 8),
        "oid": entry.sha,
        "type": entry.type,
        "object": lambda _info: _object_json(here, entry.sha),
    }


def _blob_json(data: bytes) -> Json:
    """`text` is null for what git takes for binary, or what is not UTF-8."""
    text: str | None = None
    if b"\0" not in data[:8000]:
        try:
            text = data.decode()
        except UnicodeDecodeError:
            text = data.decode(errors="replace")
    return {"byteSize": len(data), "isBinary": text is None, "text": text}


def _commit_json(here: RepoSession, commit: Commit) -> Json:
    def parents(_info: object, first: int | None = None) -> Json:
        shown = [_object_json(here, sha) for sha in commit.parents]
        return _connection([one for one in shown if one], first)

    signature = {
        "__typename": "GpgSignature",
        "isValid": commit.verified,
        "wasSignedByGitHub": commit.verified,
    }
    return {
        "__typename": "Commit",
        "id": base64.urlsafe_b64encode(f"commit:{here.repo.id}:{commit.sha}".encode()).decode(),
        "oid": commit.sha,
        "message": commit.message,
        "signature": signature if commit.signature else None,
        "tree": lambda _info: _object_json(here, commit.tree),
        "parents": parents,
    }


def _commit(here: RepoSession, tip: str, given: Json) -> str:
    """Write a commit that GitHub signs, of which the actor is the author."""
    changes = given.get("fileChanges") or {}
    entries: dict[str, tuple[str, str] | None] = {}
    for deletion in changes.get("deletions") or []:
        if not here.git.tree(tip, path=deletion["path"]):
            what = f"A path was requested for deletion which does not exist: {deletion['path']}"
            raise _refusal("UNPROCESSABLE", what)
        entries[deletion["path"]] = None
    for addition in changes.get("additions") or []:
        try:
            data = base64.b64decode(addition["contents"], validate=True)
        except binascii.Error:
            raise _refusal("UNPROCESSABLE", "The contents are not Base64.") from None
        entries[addition["path"]] = ("100644", here.git.write_blob(data))
    message = given["message"]
    text = "\n\n".join(filter(None, (message["headline"], message.get("body"))))
    author = person(here, None)
    committer = Person("GitHub", "noreply@github.com", author.date)
    try:
        tree = here.git.write_tree(tip, entries)
        return here.git.write_commit(text, tree, [tip], author, committer, signed=True)
    except GitError as error:
        raise _refusal("UNPROCESSABLE", str(error)) from None
