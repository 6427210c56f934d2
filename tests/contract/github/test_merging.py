"""A change is merged only if it is the approved one."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from github import InputGitTreeElement
from slipway.errors import GitHubUnavailable
from slipway.github.folder import everything
from slipway.github.models import Change, MergeMethod

from tests.contract.github.conftest import BRANCH, Services, change
from tests.entities import service_files

pytestmark = pytest.mark.waits

PATH = "apps/shop/common_values.yaml"
UPSCALE = change({PATH: "replicas: 3\n"})
OTHER = replace(
    UPSCALE,
    entity=service_files("cart"),
    branch="slipway/create_service/r_2",
    files={"apps/cart/portData.json": "{}\n"},
)


def proposed(services: Services, wanted: Change = UPSCALE) -> int:
    """Put a service on main, and propose a change of it."""
    services.push({PATH: "replicas: 2\n", "apps/shop/charts/a/b.yaml": "b: 1\n"})
    return services.propose(wanted)


def merge(services: Services, number: int, wanted: Change = UPSCALE) -> str:
    """Merge as a new invocation does."""
    return services.merge(wanted, number, services.signed_in()).state


def test_merge_makes_one_commit_on_main(services: Services) -> None:
    number = proposed(services)
    requests = services.server.count()

    assert merge(services, number) == "merged"

    # The pull request and the merge.
    assert requests() == 2
    merged = services.github.get_pull(number)
    assert merged.merged
    assert len(services.github.get_git_commit(merged.merge_commit_sha).parents) == 1
    assert services.slipway.read(service_files("shop"), everything).texts[PATH] == "replicas: 3\n"


def test_merging_a_merged_pull_request_succeeds(services: Services) -> None:
    number = proposed(services)
    services.merge(UPSCALE, number)

    assert merge(services, number) == "merged"


def test_merge_succeeds_when_its_answer_is_lost(
    services: Services,
) -> None:
    number = proposed(services)
    services.server.fault(method="PUT", path="/merge$", when="after", status=502)

    assert merge(services, number) == "merged"
    assert services.server.faults_left() == 0


def test_merged_deletion_removes_the_folder(services: Services) -> None:
    deletion = change({PATH: None, "apps/shop/charts/a/b.yaml": None})
    number = proposed(services, deletion)

    assert merge(services, number, deletion) == "merged"
    assert services.paths() == ["README.md"]


def test_moved_file_is_compared_as_a_deletion_and_an_addition(
    services: Services,
) -> None:
    text = "".join(f"key{number}: value\n" for number in range(20))
    services.push({"apps/shop/old.yaml": text})
    move = change({"apps/shop/old.yaml": None, "apps/shop/sub/new.yaml": text})
    number = proposed(services, move)
    (file,) = services.github.get_pull(number).get_files()
    assert file.status == "renamed"

    assert merge(services, number, move) == "merged"


def test_merge_is_refused_when_main_changed_the_file(
    services: Services,
) -> None:
    services.push({PATH: "replicas: 2\nmemory: 1Gi\n"})
    planned_from = services.slipway.read(service_files("shop"), everything).commit
    upscale = replace(change({PATH: "replicas: 3\nmemory: 1Gi\n"}), base_commit=planned_from)
    services.push({PATH: "replicas: 2\nmemory: 2Gi\n"})

    number = services.propose(upscale)

    assert merge(services, number, upscale) == "refused"
    assert services.slipway.read(service_files("shop"), everything).texts[PATH].endswith("2Gi\n")


@pytest.mark.parametrize(
    ("allowed", "parents"),
    [("squash_merge", 1), ("merge_commit", 2), ("rebase_merge", 1)],
)
def test_merge_uses_the_only_allowed_method(services: Services, allowed: str, parents: int) -> None:
    services.allow(allowed)
    number = proposed(services)

    assert merge(services, number) == "merged"
    sha = services.github.get_pull(number).merge_commit_sha
    assert len(services.github.get_git_commit(sha).parents) == parents


@pytest.mark.parametrize(("method", "parents"), [("squash", 1), ("merge", 2), ("rebase", 1)])
def test_merge_uses_the_configured_method(
    services: Services, method: MergeMethod, parents: int
) -> None:
    number = proposed(services)

    assert services.merge(UPSCALE, number, services.signed_in(method=method)).state == "merged"
    sha = services.github.get_pull(number).merge_commit_sha
    assert len(services.github.get_git_commit(sha).parents) == parents


def test_merge_waits_when_the_configured_method_is_not_allowed(services: Services) -> None:
    services.allow("squash_merge")
    number = proposed(services)

    found = services.merge(UPSCALE, number, services.signed_in(retry_budget=0.1, method="rebase"))

    assert found.state == "waiting"
    assert found.reason == "Rebase merges are not allowed on this repository."


# -- protection


def test_merge_waits_for_a_required_review(services: Services) -> None:
    number = proposed(services)
    services.protect()

    found = services.merge(UPSCALE, number)

    assert found.state == "waiting"
    assert "At least 1 approving review is required" in found.reason
    # A second delivery of the same run.
    assert services.merge(UPSCALE, number, services.signed_in()) == found

    services.approve(number)

    assert merge(services, number) == "merged"


def test_merge_waits_for_a_required_check(services: Services) -> None:
    number = proposed(services)
    services.require_check()

    assert services.merge(UPSCALE, number).reason.endswith("is expected.")

    services.pass_check(number)

    assert merge(services, number) == "merged"


@pytest.mark.parametrize("allowed", ["squash_merge", "merge_commit", "rebase_merge"])
def test_two_changes_from_one_base_both_merge(services: Services, allowed: str) -> None:
    services.allow(allowed)
    first = proposed(services)
    second = services.propose(OTHER)
    services.require_check()
    services.pass_check(first)
    services.pass_check(second)

    assert merge(services, first) == "merged"
    assert services.merge(OTHER, second).reason.endswith("its checks run again.")
    assert merge(services, second, OTHER) == "waiting"
    services.pass_check(second)

    assert merge(services, second, OTHER) == "merged"
    assert set(services.paths()) >= {PATH, *OTHER.files}


@pytest.mark.parametrize("allowed", ["squash_merge", "rebase_merge"])
def test_branch_is_updated_twice_when_behind_twice(services: Services, allowed: str) -> None:
    services.allow(allowed)
    number = proposed(services)
    for text in ("once", "twice"):
        services.push({"apps/other/a.yaml": f"a: {text}\n"})
        services.require_check()
        services.pass_check(number)
        before = services.github.get_pull(number).head.sha
        assert merge(services, number) == "waiting"
        assert services.github.get_pull(number).head.sha != before
        services.unprotect()
    services.require_check()
    services.pass_check(number)

    assert merge(services, number) == "merged"
    assert services.slipway.read(service_files("shop"), everything).texts[PATH] == "replicas: 3\n"


def test_branch_is_not_updated_over_a_push(services: Services) -> None:
    number = proposed(services)
    services.push({"apps/other/a.yaml": "a: 1\n"})
    services.require_check()
    services.pass_check(number)
    services.server.fault(method="POST", path="/api/graphql$", hold=True)

    with ThreadPoolExecutor() as pool:
        merging = pool.submit(services.merge, UPSCALE, number)
        while services.server.faults_left():
            assert not merging.done()
        services.push({"apps/shop/extra": "x"}, BRANCH)
        services.server.control("DELETE", "faults")

        assert "expected head" in merging.result().reason
    assert services.github.get_pull(number).commits == 2
    assert merge(services, number) == "changed"


def test_branch_behind_is_merged_without_a_required_check(services: Services) -> None:
    number = proposed(services)
    services.push({"apps/other/a.yaml": "a: 1\n"})
    services.require_check(contexts=[])

    assert merge(services, number) == "merged"


def test_merge_is_refused_when_it_conflicts_with_main(services: Services) -> None:
    number = proposed(services)
    services.push({PATH: "replicas: 7\n"})

    found = services.merge(UPSCALE, number)

    assert (found.state, found.reason) == ("refused", "Pull Request is not mergeable")
    assert services.github.get_pull(number).state == "open"


def test_merge_is_refused_for_a_draft(services: Services) -> None:
    number = proposed(services)
    services.github.get_pull(number).convert_to_draft()

    assert merge(services, number) == "refused"


# -- another change than the approved one


@pytest.mark.parametrize(
    "by_hand",
    [
        {PATH: "replicas: 30\n"},
        {"apps/other/a.yaml": "a: 1\n"},
        {"apps/shop/charts/a/b.yaml": None},
        {PATH: "replicas: 2\n", "apps/shop/charts/a/b.yaml": "b: 2\n"},
        {PATH: None},
    ],
    ids=["edited", "file added", "file removed", "other file instead", "removed instead"],
)
def test_merge_is_changed_after_a_push_by_a_person(
    services: Services, by_hand: dict[str, str | None]
) -> None:
    number = proposed(services)
    services.push(by_hand, BRANCH)

    assert merge(services, number) == "changed"
    assert services.github.get_pull(number).state == "open"


def test_merge_is_changed_by_a_concurrent_push(
    services: Services,
) -> None:
    number = proposed(services)
    services.server.fault(method="PUT", path="/merge$", hold=True)

    with ThreadPoolExecutor() as pool:
        merging = pool.submit(services.merge, UPSCALE, number)
        while services.server.faults_left():
            assert not merging.done()
        # The commit was compared; the merge itself waits.
        services.push({"apps/shop/extra": "x"}, BRANCH)
        services.server.control("DELETE", "faults")

        assert merging.result().state == "changed"
    assert services.github.get_pull(number).state == "open"


def test_merge_is_retargeted_when_it_goes_to_another_base(services: Services) -> None:
    number = proposed(services)
    tip = services.github.get_branch("main").commit.sha
    services.github.create_git_ref("refs/heads/elsewhere", tip)
    services.github.get_pull(number).edit(base="elsewhere")

    assert merge(services, number) == "retargeted"


def test_merge_is_changed_when_only_a_file_mode_differs(services: Services) -> None:
    number = proposed(services)
    executable = InputGitTreeElement(PATH, "100755", "blob", content="replicas: 3\n")
    services.push_elements([executable], BRANCH)

    assert merge(services, number) == "changed"


def updated(services: Services, *elements: InputGitTreeElement, base: str = "main") -> None:
    """Merge a branch into the run's branch manually, with changes."""
    repository = services.github
    head, second = (
        repository.get_git_commit(repository.get_git_ref(f"heads/{name}").object.sha)
        for name in (BRANCH, base)
    )
    ours = InputGitTreeElement(PATH, "100644", "blob", content="replicas: 3\n")
    tree = repository.create_git_tree([ours, *elements], base_tree=second.tree)
    merge = repository.create_git_commit("Merge", tree, [head, second])
    repository.get_git_ref(f"heads/{BRANCH}").edit(merge.sha)


def test_merge_accepts_a_branch_update_by_a_person(services: Services) -> None:
    number = proposed(services)
    services.push({"apps/other/a.yaml": "a: 1\n"})
    updated(services)

    assert merge(services, number) == "merged"


def test_merge_is_changed_when_an_update_adds_something(services: Services) -> None:
    number = proposed(services)
    services.push({"apps/other/a.yaml": "a: 1\n"})
    updated(services, InputGitTreeElement("apps/other/b", "100644", "blob", content="b"))

    assert merge(services, number) == "changed"


def test_merge_is_changed_when_an_update_brings_another_branch(services: Services) -> None:
    number = proposed(services)
    tip = services.github.get_branch("main").commit.sha
    services.github.create_git_ref("refs/heads/elsewhere", tip)
    services.push({"apps/other/a.yaml": "evil: 1\n"}, "elsewhere")
    updated(services, base="elsewhere")

    assert merge(services, number) == "changed"


def test_merge_is_changed_when_the_folder_changed_on_main(services: Services) -> None:
    # Another file of the same service, which no approver saw.
    number = proposed(services)
    services.push({"apps/shop/charts/a/b.yaml": "b: 2\n"})
    updated(services)

    assert merge(services, number) == "changed"


def test_merge_is_closed_for_a_closed_pull_request(services: Services) -> None:
    number = proposed(services)
    services.github.get_pull(number).edit(state="closed")

    assert merge(services, number) == "closed"


def test_merge_is_retryable_when_github_is_down(
    services: Services,
) -> None:
    number = proposed(services)
    services.server.fault(method="PUT", path="/merge$", status=503, times=20)

    with pytest.raises(GitHubUnavailable):
        services.merge(UPSCALE, number, services.signed_in(retry_budget=0.2))

    assert services.github.get_pull(number).state == "open"
