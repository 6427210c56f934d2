"""*Delete Service*: what a request wants done."""

from collections.abc import Sequence
from typing import Any

import pytest
from slipway.changes.delete_service import plan
from slipway.changes.proposal import Proposal
from slipway.errors import InvalidInput, UserError
from slipway.github.models import ServiceFolder

from tests.unit.changes.conftest import (
    FOLDER,
    RUN_ID,
    SERVICE,
    make_folder,
    make_request,
    make_situation,
)


def make_plan(
    folder: ServiceFolder | None = None,
    *,
    typed: object = SERVICE,
    dependents: Sequence[str] = (),
    entity: str | None = SERVICE,
) -> Proposal:
    inputs: dict[str, Any] = {} if typed is ... else {"service_name": typed}
    folder = make_folder({"common_values.yaml": "replicas: 2\n"}) if folder is None else folder
    request = make_request("delete_service", inputs=inputs, entity=entity)
    return plan(request, make_situation(folder, dependents=dependents))


def test_given_a_folder_when_planned_then_every_file_of_it_is_removed() -> None:
    folder = make_folder({"common_values.yaml": "a: 1\n", "sub/x.txt": "x"}, not_text=("logo.png",))

    made = make_plan(folder)

    paths = {
        f"{FOLDER}/{n}" for n in ("common_values.yaml", "sub/x.txt", "logo.png", "portData.json")
    }
    assert made.change.files == dict.fromkeys(paths)
    assert made.base == folder.files
    assert made.summary == "service deleted, 4 files"
    assert made.environment == "Production"


def test_given_a_folder_when_planned_then_the_preview_removes_every_line() -> None:
    folder = make_folder({"common_values.yaml": "a: 1\nb: 2\n"}, not_text=("logo.png",))

    shown = make_plan(folder).preview

    assert (
        f"--- a/{FOLDER}/common_values.yaml\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-a: 1\n-b: 2\n"
    ) in shown
    assert f"--- a/{FOLDER}/logo.png\n+++ /dev/null\nThis file is not text" in shown


def test_given_a_request_when_planned_then_the_pull_request_follows_from_the_run() -> None:
    change = make_plan().change

    assert change.branch == f"slipway/delete_service/{RUN_ID}"
    assert change.title == "Delete service my-service"
    assert change.labels == ("slipway", "delete_service")
    assert change.reviewers == ("team:payments", "olivia")
    assert "| Removes | <code>2 files</code> |" in change.body
    assert '"identifier":"my-service"' in change.body
    assert change == make_plan().change


@pytest.mark.parametrize(
    "typed", [..., None, "", "my-servic", "My-Service", " my-service", "my-service\n", ["x"], True]
)
def test_given_another_name_typed_when_planned_then_refused(typed: object) -> None:
    with pytest.raises(InvalidInput, match="to confirm' must have the service's name, 'my-serv"):
        make_plan(typed=typed)


@pytest.mark.parametrize("entity", [None, "../other", "Other"])
def test_given_no_service_when_planned_then_refused(entity: str | None) -> None:
    with pytest.raises(InvalidInput, match="'entity' must be the name of a service"):
        make_plan(entity=entity, typed=entity)


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (1, "depend on it: d0. Change"),
        (10, ", d9. Change"),
        (11, ", d9 and 1 more. Change"),
        (250, ", d9 and 240 more. Change"),
    ],
)
def test_given_dependents_when_planned_then_ten_are_named_and_the_rest_counted(
    count: int, said: str
) -> None:
    with pytest.raises(UserError, match="'my-service' cannot be deleted") as caught:
        make_plan(dependents=[f"d{number}" for number in range(count)])

    assert said in str(caught.value)


def test_given_no_folder_when_planned_then_the_entity_is_to_be_unregistered() -> None:
    with pytest.raises(UserError, match="unregister it in Port"):
        make_plan(make_folder(port_data=None))


def test_given_a_folder_without_port_data_when_planned_then_refused() -> None:
    with pytest.raises(UserError, match=r"portData\.json must be there"):
        make_plan(make_folder({"common_values.yaml": "a: 1\n"}, port_data=None))
