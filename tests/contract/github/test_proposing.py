"""A change is proposed in three requests, and a failure in between does not change the result."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import pytest
from github import InputGitTreeElement
from slipway.errors import BranchTaken, GitHubError, GitHubUnavailable, UserError

from tests.contract.github.conftest import BRANCH, Services, change

pytestmark = pytest.mark.waits

PATH = "apps/shop/common_values.yaml"
CHANGE = replace(
    change({PATH: "replicas: 3\n"}), labels=("slipway", "upscale"), reviewers=("developer",)
)
MUTATIONS = ("createRef", "createCommitOnBranch", "createPullRequest")


@pytest.fixture
def services(services: Services) -> Services:
    """Make a repository with a service, labels and a reviewer."""
    services.push({PATH: "replicas: 2\n"})
    services.as_user("developer")
    for label in CHANGE.labels:
        services.github.create_label(label, "ededed")
    return services


def assert_proposed(services: Services) -> None:
    """Check that there is one complete pull request with the change."""
    (pull,) = services.github.get_pulls(state="all")
    assert (pull.state, pull.commits, pull.changed_files) == ("open", 1, 1)
    assert {label.name for label in pull.labels} == set(CHANGE.labels)
    assert [user.login for user in pull.requested_reviewers] == ["developer"]
    assert services.github.get_commit(pull.head.sha).commit.raw_data["verification"]["verified"]
    content = services.github.get_contents(PATH, ref=BRANCH)
    assert not isinstance(content, list)
    assert content.decoded_content == b"replicas: 3\n"


def test_proposal_takes_three_requests(services: Services) -> None:
    requests = services.server.count()

    services.slipway.propose(CHANGE)

    assert requests() == 3
    assert_proposed(services)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("kind", [{}, {"type": "RATE_LIMITED"}])
@pytest.mark.parametrize("field", [*MUTATIONS, "addLabelsToLabelable"])
def test_proposal_ends_the_same_when_a_field_fails(
    services: Services, field: str, kind: dict[str, str], when: str
) -> None:
    services.server.fault(field=field, when=when, body=kind)

    with suppress(GitHubError, GitHubUnavailable):
        services.slipway.propose(CHANGE)
    services.signed_in().propose(CHANGE)

    assert services.server.faults_left() == 0
    assert_proposed(services)


def test_reviewer_that_was_not_requested_is_noted(services: Services) -> None:
    services.server.fault(field="requestReviews")

    (note,) = services.slipway.propose(CHANGE).notes

    assert note.startswith("GitHub did not request a review from developer: Something went wrong")
    (pull,) = services.github.get_pulls()
    assert {label.name for label in pull.labels} == set(CHANGE.labels)


@pytest.mark.parametrize("skip", [0, 1, 2])
@pytest.mark.parametrize("spoilt", [{"status": 502}, {"reset": True}])
@pytest.mark.parametrize("when", ["before", "after"])
def test_proposal_ends_the_same_when_an_answer_is_lost(
    services: Services, skip: int, spoilt: dict[str, object], when: str
) -> None:
    services.server.fault(path="/api/graphql$", skip=skip, when=when, **spoilt)

    services.slipway.propose(CHANGE)

    assert services.server.faults_left() == 0
    assert_proposed(services)


def test_proposal_keeps_its_base_when_the_branch_moved(services: Services) -> None:
    planned = replace(CHANGE, base_commit=services.github.get_branch("main").commit.sha)
    services.push({"apps/other/a.yaml": "a: 1\n"})

    services.slipway.propose(planned)

    assert_proposed(services)
    (pull,) = services.github.get_pulls()
    assert services.github.get_git_commit(pull.head.sha).parents[0].sha == planned.base_commit


def test_concurrent_proposals_open_one_pull_request(services: Services) -> None:
    services.server.fault(path="/api/graphql$", skip=1, hold=True)

    with ThreadPoolExecutor() as pool:
        first = pool.submit(services.signed_in().propose, CHANGE)
        while services.server.faults_left():
            assert not first.done()
        second = services.slipway.propose(CHANGE)
        services.server.control("DELETE", "faults")

        assert first.result().number == second.number
    assert_proposed(services)


@pytest.mark.parametrize(("mode", "text"), [("100755", "replicas: 2\n"), ("120000", "elsewhere")])
def test_special_file_is_refused(services: Services, mode: str, text: str) -> None:
    services.push_elements([InputGitTreeElement(PATH, mode, "blob", content=text)])

    with pytest.raises(UserError, match="is executable, a link"):
        services.slipway.propose(CHANGE)

    assert services.branches() == ["main"]


def test_executable_file_can_be_deleted(services: Services) -> None:
    services.push_elements([InputGitTreeElement(PATH, "100755", "blob", content="x")])

    services.slipway.propose(change({PATH: None}))

    (pull,) = services.github.get_pulls()
    assert [(file.filename, file.status) for file in pull.get_files()] == [(PATH, "removed")]


def test_repository_that_requires_signatures_accepts_a_change(services: Services) -> None:
    main = services.github.get_branch("main")
    main.edit_protection(enforce_admins=True)
    main.add_required_signatures()
    number = services.propose(CHANGE)

    assert services.merge(CHANGE, number).state == "merged"


def test_branch_taken_between_query_and_mutations_is_on_hold(services: Services) -> None:
    services.server.fault(path="/api/graphql$", skip=1, hold=True)

    with ThreadPoolExecutor() as pool:
        proposing = pool.submit(services.signed_in().propose, CHANGE)
        while services.server.faults_left():
            assert not proposing.done()
        tip = services.github.get_branch("main").commit.sha
        services.github.create_git_ref(f"refs/heads/{BRANCH}", tip)
        services.push({"apps/other/evil": "x"}, BRANCH)
        services.server.control("DELETE", "faults")

        with pytest.raises(BranchTaken):
            proposing.result()
    assert [pull.state for pull in services.github.get_pulls(state="all")] == ["closed"]


def test_stale_head_of_the_branch_is_proposed_again(services: Services) -> None:
    services.github.create_git_ref(
        f"refs/heads/{BRANCH}", services.github.get_branch("main").commit.sha
    )
    services.server.fault(path="/api/graphql$", skip=1, hold=True)

    with ThreadPoolExecutor() as pool:
        proposing = pool.submit(services.signed_in().propose, CHANGE)
        while services.server.faults_left():
            assert not proposing.done()
        # The base branch is merged into the branch after Slipway has read it.
        moved = services.push({"apps/other/a.yaml": "a: 1\n"})
        services.github.get_git_ref(f"heads/{BRANCH}").edit(moved)
        services.server.control("DELETE", "faults")

        with pytest.raises(GitHubError, match="createCommitOnBranch|Expected branch"):
            proposing.result()
    services.signed_in().propose(CHANGE)

    assert_proposed(services)


def test_folder_with_special_files_can_be_deleted(services: Services) -> None:
    binary = services.github.create_git_blob("/wD+AA==", "base64").sha
    services.push_elements(
        [
            InputGitTreeElement("apps/shop/logo", "100644", "blob", sha=binary),
            InputGitTreeElement("apps/shop/run", "100755", "blob", content="x"),
            InputGitTreeElement("apps/shop/link", "120000", "blob", content="run"),
        ]
    )
    paths = [PATH, "apps/shop/logo", "apps/shop/run", "apps/shop/link"]

    services.slipway.propose(change(dict.fromkeys(paths)))

    assert not [path for path in services.paths(BRANCH) if path.startswith("apps/shop/")]


def test_special_files_in_the_folder_stay(services: Services) -> None:
    binary = services.github.create_git_blob("/wD+AA==", "base64").sha
    services.push_elements(
        [
            InputGitTreeElement("apps/shop/logo", "100644", "blob", sha=binary),
            InputGitTreeElement("apps/shop/run", "100755", "blob", content="x"),
            InputGitTreeElement("apps/shop/link", "120000", "blob", content="run"),
        ]
    )

    services.slipway.propose(CHANGE)

    (pull,) = services.github.get_pulls()
    assert [file.filename for file in pull.get_files()] == [PATH]
    before, after = (
        {item.path: (item.mode, item.sha) for item in services.github.get_git_tree(at, True).tree}
        for at in ("main", BRANCH)
    )
    kept = ("apps/shop/logo", "apps/shop/run", "apps/shop/link")
    assert [after[path] for path in kept] == [before[path] for path in kept]


def test_missing_labels_are_created(services: Services) -> None:
    services.slipway.propose(replace(CHANGE, labels=("slipway", "not-there")))

    (pull,) = services.github.get_pulls()
    assert {label.name for label in pull.labels} == {"slipway", "not-there"}
