"""Build and send the GraphQL documents that propose a change.

https://docs.github.com/graphql/reference
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from github import GithubException, UnknownObjectException
from github.Requester import Requester

from slipway.github.retry import RetryBudget, graphql_errors, is_passing
from slipway.observability import mask

Json = dict[str, Any]
VIEWER = "query Viewer { viewer { login } }"
_PULL = """
fragment Pull on PullRequest {
  id number url state isCrossRepository viewerDidAuthor headRefOid baseRefName
  createdAt closedAt mergedAt labels(first: 100) { nodes { name } }
}
"""
CREATE_REF = "createRef(input: $ref) { ref { name } }"
CREATE_COMMIT = "createCommitOnBranch(input: $commit) { commit { oid } }"
CREATE_PULL = "createPullRequest(input: $pull) { pullRequest { ...Pull } }"
_TYPES = {
    "ref": "CreateRefInput!",
    "commit": "CreateCommitOnBranchInput!",
    "pull": "CreatePullRequestInput!",
    "close": "ClosePullRequestInput!",
}
CLOSE = """
mutation Close($close: ClosePullRequestInput!) {
  closePullRequest(input: $close) { clientMutationId }
}
"""


def look(labels: int, users: int, teams: int, folders: int) -> str:
    """Return the query that runs before a change is proposed.

    Args:
        labels: number of labels, as `$label0`.
        users: number of reviewers, as `$user0`.
        teams: number of teams, as `$team0`.
        folders: number of folders on the base commit, as `$folder0`.
    """
    counts = {"label": labels, "user": users, "team": teams, "folder": folders}
    declared = [f"${kind}{n}: String!" for kind, count in counts.items() for n in range(count)]
    inside = [f"label{n}: label(name: $label{n}) {{ id }}" for n in range(labels)]
    tree = "{ oid ... on Tree { entries { name mode } } }"
    inside += [f"folder{n}: object(expression: $folder{n}) {tree}" for n in range(folders)]
    outside = [f"user{n}: user(login: $user{n}) {{ id }}" for n in range(users)]
    if teams:
        listed = " ".join(f"team{n}: team(slug: $team{n}) {{ id }}" for n in range(teams))
        outside.append(f"organization(login: $owner) {{ {listed} }}")
    return f"""
query Look(
  $owner: String!, $name: String!, $base: String!, $branch: String!, {", ".join(declared)}
) {{
  repository(owner: $owner, name: $name) {{
    id
    base: ref(qualifiedName: $base) {{ target {{ oid }} }}
    branch: ref(qualifiedName: $branch) {{ target {{ oid }} }}
    pullRequests(
      headRefName: $branch, first: 50, orderBy: {{field: CREATED_AT, direction: DESC}}
    ) {{ nodes {{ ...Pull }} }}
    {" ".join(inside)}
  }}
  {" ".join(outside)}
}}
{_PULL}"""


def propose(inputs: Mapping[str, Json]) -> str:
    """Return the mutations that open a pull request.

    Only those of `ref`, `commit` and `pull` that have an input. GraphQL runs one after the other,
    and continues after a failed one.
    """
    fields = {"ref": CREATE_REF, "commit": CREATE_COMMIT, "pull": CREATE_PULL}
    declared = ", ".join(f"${name}: {_TYPES[name]}" for name in inputs)
    body = "\n  ".join(fields[name] for name in inputs)
    return f"mutation Propose({declared}) {{\n  {body}\n}}\n{_PULL if 'pull' in inputs else ''}"


def decorate(reviewers: int, *, labels: bool) -> str:
    """Return the mutations that request each reviewer, then set the labels."""
    declared = [f"$reviewer{n}: RequestReviewsInput!" for n in range(reviewers)]
    fields = [
        f"reviewer{n}: requestReviews(input: $reviewer{n}) {{ clientMutationId }}"
        for n in range(reviewers)
    ]
    if labels:
        declared.append("$labels: AddLabelsToLabelableInput!")
        fields.append("addLabelsToLabelable(input: $labels) { clientMutationId }")
    return f"mutation Decorate({', '.join(declared)}) {{\n  " + "\n  ".join(fields) + "\n}\n"


class UnexpectedAnswer(Exception):
    """An answer does not have the shape of GitHub's schema."""


@contextmanager
def reading() -> Iterator[None]:
    """Read an answer.

    Keep all other code out of this block: its own bugs would count as GitHub's.

    Raises:
        UnexpectedAnswer: the answer does not have the shape of GitHub's schema.
    """
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise UnexpectedAnswer(type(error).__name__) from error


@dataclass(frozen=True)
class Answer:
    """An answer, possibly with errors besides successful parts.

    Attributes:
        data: field → value; None where the field failed.
        errors: place, dotted, → GitHub's message.
    """

    data: Json
    errors: Mapping[str, str]
    refusal: GithubException | None = None


def send(
    requester: Requester,
    retry_budget: RetryBudget,
    document: str,
    variables: Mapping[str, Any],
    *,
    partly: bool = False,
) -> Answer:
    """Send a document. A document with a mutation is sent only once.

    After a failure, the executed part is unknown, so the caller begins with the query again.

    Args:
        requester: PyGithub's, which signs in.
        retry_budget: for GitHub.
        document: one of this module.
        variables: of the document.
        partly: whether to treat temporary failures of parts as refusals.

    Raises:
        GithubException: GitHub throttles or fails, or refused the whole document.
    """
    mutates = document.lstrip().startswith("mutation")
    with retry_budget.once() if mutates else nullcontext():
        headers, answer = requester.requestJsonAndCheck(
            "POST", requester.graphql_url, input={"query": document, "variables": variables}
        )
    with reading():
        if "errors" not in answer:
            return Answer(answer["data"], {})
        refusal = requester.createException(400, headers, answer)
        if not answer.get("data") or (is_passing(refusal) and not partly):
            raise refusal
        errors = {
            # A message may quote its input.
            ".".join(map(str, error.get("path") or ())): mask(str(error["message"]))
            for error in graphql_errors(refusal)
        }
        return Answer(answer["data"], errors, refusal)


def viewer(requester: Requester, retry_budget: RetryBudget) -> str:
    """Return the login that GitHub shows as author for these credentials.

    REST has no route for it that accepts an installation's token.
    """
    answer = send(requester, retry_budget, VIEWER, {})
    with reading():
        login: str = answer.data["viewer"]["login"]
    if not login:
        raise UnknownObjectException(404, {"message": "The answer has no viewer."})
    return login
