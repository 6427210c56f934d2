"""GraphQL: queries, and mutations that go on after one that failed."""

import base64
from typing import Any

import pytest
from github import GithubException
from github.Repository import Repository

from sandbox.tests.github.harness import commit, open_pull

Json = dict[str, Any]
LOOK = """
query($owner: String!, $name: String!, $branch: String!, $expression: String!) {
  repository(owner: $owner, name: $name) {
    id
    ref(qualifiedName: $branch) { target { oid ... on Commit { tree { oid } } } }
    object(expression: $expression) { oid ... on Blob { text isBinary } }
    label(name: "slipway") { id }
    pullRequests(headRefName: $branch, first: 10) {
      nodes { number viewerDidAuthor isCrossRepository headRefOid }
    }
  }
  viewer { login }
}
"""
PROPOSE = """
mutation(
  $ref: CreateRefInput!, $commit: CreateCommitOnBranchInput!, $pull: CreatePullRequestInput!
) {
  createRef(input: $ref) { ref { name } }
  createCommitOnBranch(input: $commit) { commit { oid signature { isValid } } }
  createPullRequest(input: $pull) { pullRequest { id number headRefOid } }
}
"""


def ask(repo: Repository, document: str, **variables: Any) -> Json:
    """The whole answer, of which PyGithub makes an exception if it has errors."""
    try:
        _, answer = repo.requester.graphql_query(document, variables)
    except GithubException as error:
        answer = error.data
    return dict(answer)


def look(repo: Repository, branch: str = "topic", expression: str = "main:README.md") -> Json:
    owner, name = repo.full_name.split("/")
    answer = ask(repo, LOOK, owner=owner, name=name, branch=branch, expression=expression)
    return dict(answer["data"])


def propose(repo: Repository, branch: str = "topic", **changes: Any) -> Json:
    base = repo.get_branch("main").commit.sha
    identity = look(repo)["repository"]["id"]
    made = {
        "branch": {"repositoryNameWithOwner": repo.full_name, "branchName": branch},
        "expectedHeadOid": base,
        "message": {"headline": "Add x", "body": "Why"},
        "fileChanges": {"additions": [{"path": "x", "contents": encoded("x")}]},
    }
    return ask(
        repo,
        PROPOSE,
        ref={"repositoryId": identity, "name": f"refs/heads/{branch}", "oid": base},
        commit={**made, **changes},
        pull={
            "repositoryId": identity,
            "baseRefName": "main",
            "headRefName": branch,
            "title": "Add x",
        },
    )


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_one_document_proposes_a_signed_commit(repo: Repository) -> None:
    answer = propose(repo)

    assert "errors" not in answer
    made = answer["data"]["createCommitOnBranch"]["commit"]
    pull = answer["data"]["createPullRequest"]["pullRequest"]
    assert made["signature"]["isValid"]
    assert pull["headRefOid"] == made["oid"] == repo.get_branch("topic").commit.sha
    shown = repo.get_commit(made["oid"]).commit
    assert shown.raw_data["verification"]["verified"]
    assert (shown.message, shown.committer.name) == ("Add x\n\nWhy", "GitHub")
    assert shown.author.name == "slipway[bot]"


def test_query_says_what_is_there(repo: Repository) -> None:
    propose(repo)

    found = look(repo)["repository"]

    (pull,) = found["pullRequests"]["nodes"]
    head = repo.get_branch("topic").commit
    assert (pull["viewerDidAuthor"], pull["isCrossRepository"]) == (True, False)
    assert pull["headRefOid"] == found["ref"]["target"]["oid"] == head.sha
    assert found["ref"]["target"]["tree"]["oid"] == head.commit.tree.sha
    assert found["object"]["text"].startswith("# ")
    assert found["label"] is None
    assert look(repo, expression="main:none")["repository"]["object"] is None
    assert look(repo)["viewer"]["login"] == "slipway[bot]"


def test_mutations_go_on_after_one_that_failed(repo: Repository) -> None:
    # A branch that another user has made: the third mutation opens that user's commits as ours.
    theirs = commit(repo, {"evil": "x"}, "topic")

    answer = propose(repo)

    assert [error["path"] for error in answer["errors"]] == [
        ["createRef"],
        ["createCommitOnBranch"],
    ]
    assert [error["type"] for error in answer["errors"]] == ["UNPROCESSABLE", "STALE_DATA"]
    assert answer["data"]["createPullRequest"]["pullRequest"]["headRefOid"] == theirs


def test_user_that_is_not_there_is_a_partial_error(repo: Repository) -> None:
    document = """query { viewer { login } user(login: "ghost-of-none") { id } }"""

    answer = ask(repo, document)

    assert answer["data"] == {"viewer": {"login": "slipway[bot]"}, "user": None}
    assert [error["type"] for error in answer["errors"]] == ["NOT_FOUND"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"additions": [{"path": "../x", "contents": ""}]}, ""),
        ({"deletions": [{"path": "none"}]}, "does not exist"),
        ({"additions": [{"path": "x", "contents": "?"}]}, "not Base64"),
    ],
)
def test_commit_is_refused_with_a_reason(repo: Repository, changes: Json, said: str) -> None:
    answer = propose(repo, fileChanges=changes)

    (error, _) = answer["errors"]
    assert error["path"] == ["createCommitOnBranch"]
    assert said in error["message"]


def test_protection_takes_only_verified_commits(repo: Repository) -> None:
    main = repo.get_branch("main")
    main.edit_protection(enforce_admins=True)
    main.add_required_signatures()
    unsigned = open_pull(repo, {"a": "1"}, "unsigned")
    number = propose(repo)["data"]["createPullRequest"]["pullRequest"]["number"]

    with pytest.raises(GithubException, match="verified signatures"):
        unsigned.merge()

    assert repo.get_pull(number).merge().merged
    assert repo.get_commit("main").commit.raw_data["verification"]["verified"]


def test_commit_of_a_user_is_not_signed(repo: Repository) -> None:
    plain = commit(repo, {"a": "1"}, "plain")

    assert repo.get_git_commit(plain).raw_data["verification"]["reason"] == "unsigned"
