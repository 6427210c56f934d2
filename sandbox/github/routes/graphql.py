"""GraphQL: the mutations that REST has no counterpart of.

https://docs.github.com/graphql
"""

import base64
import binascii
from typing import Any, Literal

import graphql
from fastapi import APIRouter
from sqlalchemy import select

from sandbox.github import permissions, pull_requests, urls
from sandbox.github.auth import Actor
from sandbox.github.errors import ApiError
from sandbox.github.routes.deps import ActorDep, Body, Json, ServerDep
from sandbox.github.server import RepoSession, Server, teams_of
from sandbox.github.store import Pull, Repo

router = APIRouter()
# A part of GitHub's own schema, with the same names and types: a contract test compares the two.
_SCHEMA = graphql.build_schema("""
    scalar GitObjectID
    scalar URI
    enum PullRequestBranchUpdateMethod { MERGE REBASE }
    enum PullRequestState { CLOSED MERGED OPEN }
    interface Actor { avatarUrl: URI! login: String! resourcePath: URI! url: URI! }
    type User implements Actor { avatarUrl: URI! login: String! resourcePath: URI! url: URI! }
    type PullRequest {
      id: ID! number: Int! url: URI! isDraft: Boolean! state: PullRequestState!
      headRefOid: GitObjectID!
    }
    type UpdatePullRequestBranchPayload { clientMutationId: String pullRequest: PullRequest }
    type MarkPullRequestReadyForReviewPayload {
      clientMutationId: String pullRequest: PullRequest
    }
    type ConvertPullRequestToDraftPayload { clientMutationId: String pullRequest: PullRequest }
    input UpdatePullRequestBranchInput {
      pullRequestId: ID! expectedHeadOid: GitObjectID updateMethod: PullRequestBranchUpdateMethod
      clientMutationId: String
    }
    input MarkPullRequestReadyForReviewInput { pullRequestId: ID! clientMutationId: String }
    input ConvertPullRequestToDraftInput { pullRequestId: ID! clientMutationId: String }
    type Query { viewer: User! }
    type Mutation {
      updatePullRequestBranch(
        input: UpdatePullRequestBranchInput!): UpdatePullRequestBranchPayload
      markPullRequestReadyForReview(
        input: MarkPullRequestReadyForReviewInput!): MarkPullRequestReadyForReviewPayload
      convertPullRequestToDraft(
        input: ConvertPullRequestToDraftInput!): ConvertPullRequestToDraftPayload
    }
""")


class Request(Body):
    """Body of a GraphQL request."""

    query: str
    variables: dict[str, Any] | None = None


def _refusal(kind: str, message: str) -> graphql.GraphQLError:
    return graphql.GraphQLError(message, extensions={"type": kind})


@router.post("/api/graphql")
def execute(server: ServerDep, actor: ActorDep, body: Request) -> Json:
    """Execute a query or mutation."""
    if actor.kind == "anonymous":
        raise ApiError(401, "This endpoint requires you to be authenticated.")
    result = graphql.graphql_sync(
        _SCHEMA, body.query, root_value=_Root(server, actor), variable_values=body.variables
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


class _Root:
    """Resolvers; graphql-core calls the method of a field's name."""

    def __init__(self, server: Server, actor: Actor) -> None:
        self._server = server
        self._actor = actor

    def viewer(self, _info: object) -> Json:
        return _actor(self._actor.login)

    def updatePullRequestBranch(self, _info: object, input: Json) -> Json:  # noqa: A002, N802
        def update(here: RepoSession, pull: Pull) -> None:
            method: Literal["merge", "rebase"] = (
                "rebase" if input.get("updateMethod") == "REBASE" else "merge"
            )
            try:
                pull_requests.update_branch(here, pull, input.get("expectedHeadOid"), method)
            except ApiError as error:
                raise _refusal("UNPROCESSABLE", error.message) from None

        return self._change(input, update)

    def markPullRequestReadyForReview(self, _info: object, input: Json) -> Json:  # noqa: A002, N802
        return self._change(input, lambda here, pull: _set_draft(here, pull, draft=False))

    def convertPullRequestToDraft(self, _info: object, input: Json) -> Json:  # noqa: A002, N802
        return self._change(input, lambda here, pull: _set_draft(here, pull, draft=True))

    def _change(self, given: Json, change: Any) -> Json:
        owner, name, number = self._locate(given["pullRequestId"])
        with self._server.open(owner, name, self._actor) as here:
            teams = teams_of(here.session, owner, self._actor.login)
            try:
                permissions.check(self._actor, here.repo, teams, "PATCH", f"/pulls/{number}")
            except ApiError as error:
                raise _refusal("FORBIDDEN", error.message) from None
            pull = here.pull(number)
            change(here, pull)
            body = pull_requests.pull_json(here, pull, full=False)
        return {
            "clientMutationId": given.get("clientMutationId"),
            "pullRequest": {
                "id": body["node_id"],
                "number": number,
                "url": body["html_url"],
                "isDraft": body["draft"],
                "state": "MERGED" if body["merged_at"] else body["state"].upper(),
                "headRefOid": body["head"]["sha"],
            },
        }

    def _locate(self, node: str) -> tuple[str, str, int]:
        missing = _refusal(
            "NOT_FOUND", f"Could not resolve to a node with the global id of '{node}'"
        )
        try:
            kind, _, number = base64.urlsafe_b64decode(node).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise missing from None
        if kind != "PullRequest" or not number.isdigit():
            raise missing
        with self._server.store.read() as session:
            row = session.execute(
                select(Repo, Pull)
                .join(Pull, Pull.repo_id == Repo.id)
                .filter(Pull.issue_id == int(number))
            ).first()
            if row is None:
                raise missing
            repo, pull = row
            return repo.owner, repo.name, pull.issue.number


def _actor(login: str) -> Json:
    return {
        "__typename": "User",
        "login": login,
        "url": urls.web(f"/{login}"),
        "avatarUrl": urls.web(f"/_sandbox/avatar/{login}"),
        "resourcePath": f"/{login}",
    }


def _set_draft(here: RepoSession, pull: Pull, *, draft: bool) -> None:
    if pull.draft != draft:
        pull.draft = draft
        pull_requests.emit(here, pull, "converted_to_draft" if draft else "ready_for_review")
