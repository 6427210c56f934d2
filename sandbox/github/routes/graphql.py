"""GraphQL: the mutations that REST has no counterpart of.

https://docs.github.com/graphql
"""

import base64
import binascii
from typing import Any

import graphql
from fastapi import APIRouter
from sqlalchemy import select

from sandbox.github import permissions, protection, pull_requests, urls
from sandbox.github.auth import Actor
from sandbox.github.errors import ApiError
from sandbox.github.routes.deps import ActorDep, Body, Json, ServerDep
from sandbox.github.server import RepoSession, Server, teams_of
from sandbox.github.store import Pull, Repo

router = APIRouter()
# A part of GitHub's own schema, with the same names and types: a contract test compares the two.
_SCHEMA = graphql.build_schema("""
    scalar DateTime
    scalar GitObjectID
    scalar URI
    enum PullRequestMergeMethod { MERGE REBASE SQUASH }
    enum PullRequestState { CLOSED MERGED OPEN }
    interface Actor { avatarUrl: URI! login: String! resourcePath: URI! url: URI! }
    type User implements Actor { avatarUrl: URI! login: String! resourcePath: URI! url: URI! }
    type AutoMergeRequest { enabledAt: DateTime mergeMethod: PullRequestMergeMethod! }
    type PullRequest {
      id: ID! number: Int! url: URI! isDraft: Boolean! state: PullRequestState!
      autoMergeRequest: AutoMergeRequest
    }
    type EnablePullRequestAutoMergePayload {
      actor: Actor clientMutationId: String pullRequest: PullRequest
    }
    type DisablePullRequestAutoMergePayload {
      actor: Actor clientMutationId: String pullRequest: PullRequest
    }
    type MarkPullRequestReadyForReviewPayload {
      clientMutationId: String pullRequest: PullRequest
    }
    type ConvertPullRequestToDraftPayload { clientMutationId: String pullRequest: PullRequest }
    input EnablePullRequestAutoMergeInput {
      pullRequestId: ID! mergeMethod: PullRequestMergeMethod = MERGE clientMutationId: String
      commitHeadline: String commitBody: String expectedHeadOid: GitObjectID authorEmail: String
    }
    input DisablePullRequestAutoMergeInput { pullRequestId: ID! clientMutationId: String }
    input MarkPullRequestReadyForReviewInput { pullRequestId: ID! clientMutationId: String }
    input ConvertPullRequestToDraftInput { pullRequestId: ID! clientMutationId: String }
    type Query { viewer: User! }
    type Mutation {
      enablePullRequestAutoMerge(
        input: EnablePullRequestAutoMergeInput!): EnablePullRequestAutoMergePayload
      disablePullRequestAutoMerge(
        input: DisablePullRequestAutoMergeInput!): DisablePullRequestAutoMergePayload
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

    def enablePullRequestAutoMerge(self, _info: object, input: Json) -> Json:  # noqa: A002, N802
        def enable(here: RepoSession, pull: Pull) -> None:
            _check_auto_merge(here, pull, input)
            pull.auto_merge = {
                "enabled_by": here.actor.login,
                "merge_method": input["mergeMethod"].lower(),
                "commit_title": input.get("commitHeadline"),
                "commit_message": input.get("commitBody"),
            }
            pull_requests.emit(here, pull, "auto_merge_enabled")

        return self._change(input, enable)

    def disablePullRequestAutoMerge(self, _info: object, input: Json) -> Json:  # noqa: A002, N802
        def disable(here: RepoSession, pull: Pull) -> None:
            if pull.auto_merge is None:
                raise _refusal("UNPROCESSABLE", "Can't disable auto-merge for this pull request")
            pull.auto_merge = None
            pull_requests.emit(here, pull, "auto_merge_disabled")

        return self._change(input, disable)

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
        merge = body["auto_merge"]
        return {
            "actor": _actor(self._actor.login),
            "clientMutationId": given.get("clientMutationId"),
            "pullRequest": {
                "id": body["node_id"],
                "number": number,
                "url": body["html_url"],
                "isDraft": body["draft"],
                "state": "MERGED" if body["merged_at"] else body["state"].upper(),
                "autoMergeRequest": merge and {"mergeMethod": merge["merge_method"].upper()},
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


def _check_auto_merge(here: RepoSession, pull: Pull, given: Json) -> None:
    if not here.repo.allow_auto_merge:
        raise _refusal("UNPROCESSABLE", "Auto merge is not allowed for this repository")
    if pull.issue.state == "closed":
        raise _refusal("UNPROCESSABLE", "Pull request is closed")
    if given.get("expectedHeadOid") not in {None, pull.head_sha}:
        raise _refusal("UNPROCESSABLE", "Head branch was modified. Review and try the merge again.")
    method = given["mergeMethod"].lower()
    if not {"merge": here.repo.allow_merge_commit, "squash": here.repo.allow_squash_merge}.get(
        method
    ):
        raise _refusal("UNPROCESSABLE", f"Merge method {method} is not allowed for this repository")
    state = pull_requests.mergeability(here, pull)[1]
    if state == "clean" or (state == "unstable" and not protection.failing(here, pull.head_sha)):
        raise _refusal("UNPROCESSABLE", "Pull request is in clean status")
    if state == "dirty":
        raise _refusal("UNPROCESSABLE", "Pull request is in dirty status")
    if state == "draft":
        raise _refusal("UNPROCESSABLE", "Pull request is in draft status")


def _set_draft(here: RepoSession, pull: Pull, *, draft: bool) -> None:
    if pull.draft != draft:
        pull.draft = draft
        pull_requests.emit(here, pull, "converted_to_draft" if draft else "ready_for_review")
