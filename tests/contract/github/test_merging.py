"""A change is merged if it is what was approved, and only then."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from slipway.errors import GitHubUnavailable
from slipway.github.models import Change

from tests.contract.github.conftest import BRANCH, Services, change

pytestmark = pytest.mark.waits

PATH = "apps/shop/common_values.yaml"
UPSCALE = change({PATH: "replicas: 3\n"})


def proposed(services: Services, wanted: Change = UPSCALE) -> int:
    """A service on main, and the pull request of a change of it."""
    services.push({PATH: "replicas: 2\n", "apps/shop/charts/a/b.yaml": "b: 1\n"})
    return services.slipway.propose(wanted).number


def test_given_the_change_when_merged_then_it_is_one_commit_on_main(services: Services) -> None:
    number = proposed(services)
    requests = services.server.count()

    assert services.slipway.merge(UPSCALE, number) == "merged"

    # The pull request, its files, the merge.
    assert requests() == 3
    merged = services.github.get_pull(number)
    assert merged.merged
    assert len(services.github.get_git_commit(merged.merge_commit_sha).parents) == 1
    assert services.slipway.read_service("shop", names=None).texts[PATH] == "replicas: 3\n"


def test_given_it_is_merged_when_merged_again_then_success(services: Services) -> None:
    number = proposed(services)
    services.slipway.merge(UPSCALE, number)

    assert services.slipway.merge(UPSCALE, number) == "merged"


def test_given_the_answer_to_the_merge_was_lost_when_merging_then_it_is_found_merged(
    services: Services,
) -> None:
    number = proposed(services)
    services.server.fault(method="PUT", path="/merge$", when="after", status=502)

    assert services.slipway.merge(UPSCALE, number) == "merged"
    assert services.server.faults_left() == 0


def test_given_a_deletion_when_merged_then_the_folder_is_gone(services: Services) -> None:
    deletion = change({PATH: None, "apps/shop/charts/a/b.yaml": None})
    number = proposed(services, deletion)

    assert services.slipway.merge(deletion, number) == "merged"
    assert services.paths() == ["README.md"]


def test_given_a_moved_file_when_merged_then_its_two_halves_are_the_change(
    services: Services,
) -> None:
    text = "".join(f"key{number}: value\n" for number in range(20))
    services.push({"apps/shop/old.yaml": text})
    move = change({"apps/shop/old.yaml": None, "apps/shop/sub/new.yaml": text})
    number = proposed(services, move)
    (file,) = services.github.get_pull(number).get_files()
    assert file.status == "renamed"

    assert services.slipway.merge(move, number) == "merged"


def test_given_others_changed_the_file_since_it_was_planned_when_merged_then_theirs_stays(
    services: Services,
) -> None:
    services.push({PATH: "replicas: 2\nmemory: 1Gi\n"})
    planned_from = services.slipway.read_service("shop", names=None).commit
    upscale = replace(change({PATH: "replicas: 3\nmemory: 1Gi\n"}), base_commit=planned_from)
    services.push({PATH: "replicas: 2\nmemory: 2Gi\n"})

    number = services.slipway.propose(upscale).number

    assert services.slipway.merge(upscale, number) == "waiting_for_people"
    assert services.slipway.read_service("shop", names=None).texts[PATH].endswith("2Gi\n")


@pytest.mark.parametrize(
    ("squash", "parents"), [(True, 1), (False, 2)], ids=["squash", "merge commit"]
)
def test_given_one_merge_method_when_merged_then_by_that(
    services: Services, squash: bool, parents: int
) -> None:
    services.github.edit(allow_squash_merge=squash, allow_merge_commit=not squash)
    number = proposed(services)

    assert services.slipway.merge(UPSCALE, number) == "merged"
    sha = services.github.get_pull(number).merge_commit_sha
    assert len(services.github.get_git_commit(sha).parents) == parents


# -- protection


def test_given_a_required_review_when_merged_then_github_merges_after_the_review(
    services: Services,
) -> None:
    number = proposed(services)
    services.protect()

    assert services.slipway.merge(UPSCALE, number) == "waiting_for_checks"
    assert not services.github.get_pull(number).merged
    # A second delivery of the same run.
    assert services.signed_in().merge(UPSCALE, number) == "waiting_for_checks"

    services.approve(number)

    assert services.github.get_pull(number).merged
    assert services.slipway.merge(UPSCALE, number) == "merged"


def test_given_no_auto_merge_in_the_repository_when_merged_then_people_must(
    services: Services,
) -> None:
    number = proposed(services)
    services.protect(auto_merge=False)

    assert services.slipway.merge(UPSCALE, number) == "waiting_for_people"

    services.approve(number)
    assert not services.github.get_pull(number).merged
    assert services.slipway.merge(UPSCALE, number) == "merged"


def test_given_a_conflict_with_main_when_merged_then_people_must(services: Services) -> None:
    services.github.edit(allow_auto_merge=True)
    number = proposed(services)
    services.push({PATH: "replicas: 7\n"})

    assert services.slipway.merge(UPSCALE, number) == "waiting_for_people"
    assert services.github.get_pull(number).state == "open"


def test_given_a_draft_when_merged_then_people_must(services: Services) -> None:
    services.github.edit(allow_auto_merge=True)
    number = proposed(services)
    services.github.get_pull(number).convert_to_draft()

    assert services.slipway.merge(UPSCALE, number) == "waiting_for_people"


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
def test_given_a_person_pushed_when_merged_then_it_is_changed_and_not_merged(
    services: Services, by_hand: dict[str, str | None]
) -> None:
    number = proposed(services)
    services.push(by_hand, BRANCH)

    assert services.slipway.merge(UPSCALE, number) == "changed"
    assert services.github.get_pull(number).state == "open"


def test_given_a_push_while_merging_when_merged_then_it_is_changed_and_not_merged(
    services: Services,
) -> None:
    number = proposed(services)
    services.server.fault(method="PUT", path="/merge$", hold=True)

    with ThreadPoolExecutor() as pool:
        merging = pool.submit(services.slipway.merge, UPSCALE, number)
        while services.server.faults_left():
            assert not merging.done()
        # The files were compared; the merge itself is held.
        services.push({"apps/shop/extra": "x"}, BRANCH)
        services.server.control("DELETE", "faults")

        assert merging.result() == "changed"
    assert services.github.get_pull(number).state == "open"


def test_given_another_base_when_merged_then_it_is_changed(services: Services) -> None:
    number = proposed(services)
    tip = services.github.get_branch("main").commit.sha
    services.github.create_git_ref("refs/heads/elsewhere", tip)
    services.github.get_pull(number).edit(base="elsewhere")

    assert services.slipway.merge(UPSCALE, number) == "changed"


def test_given_auto_merge_when_a_person_pushes_then_a_second_look_takes_it_back(
    services: Services,
) -> None:
    number = proposed(services)
    services.protect()
    services.slipway.merge(UPSCALE, number)
    services.push({PATH: "replicas: 30\n"}, BRANCH)

    assert services.slipway.merge(UPSCALE, number) == "changed"

    services.approve(number)
    assert not services.github.get_pull(number).merged


def test_given_a_persons_auto_merge_when_the_change_is_theirs_then_it_stays(
    services: Services,
) -> None:
    number = proposed(services)
    services.protect()
    services.push({PATH: "replicas: 30\n"}, BRANCH)
    services.as_user("developer").get_pull(number).enable_automerge(merge_method="SQUASH")

    assert services.slipway.merge(UPSCALE, number) == "changed"
    assert services.github.get_pull(number).auto_merge is not None


def test_given_a_closed_pull_request_when_merged_then_closed(services: Services) -> None:
    number = proposed(services)
    services.github.get_pull(number).edit(state="closed")

    assert services.slipway.merge(UPSCALE, number) == "closed"


def test_given_github_is_down_when_merged_then_not_now_and_nothing_is_merged(
    services: Services,
) -> None:
    number = proposed(services)
    services.server.fault(method="PUT", path="/merge$", status=503, times=20)

    with pytest.raises(GitHubUnavailable):
        services.signed_in(patience=0.2).merge(UPSCALE, number)

    assert services.github.get_pull(number).state == "open"
