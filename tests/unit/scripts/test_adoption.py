"""Existing resources without metadata: which are found, and what is written about them."""

import json
from pathlib import Path
from typing import Any

import pytest
from slipway.catalog.model import Kind
from slipway.catalog.request import Resource
from slipway.errors import UserError

from scripts.adoption import find_resources, inputs_in_port, make_metadata
from tests.catalogs.samples import ACME, SHIPPED, catalog

PATHS = [
    "README.md",
    "modules/service/main.tf",
    "services/billing/invoices/values-qa.yaml",
    "services/billing/invoices/qa/config.json",
    "services/billing/invoices/values-prod.yaml",
    "services/billing/invoices/port-prod.json",
    "services/billing/ledger/dev/deploy.sh",
]
GIVEN = {
    "tier": "gold",
    "cost_center": "CC-0042",
    "language": "python",
    "slack_channel": "#billing",
}


def kind_of(folder: Path = ACME, name: str = "service") -> Kind:
    return catalog(folder).kinds[name]


def resource(identifier: str = "pay.billing.invoices.qa") -> Resource:
    kind = kind_of()
    return Resource(kind=kind, identifier=identifier, parts=kind.parts_of(identifier))


def made(given: dict[str, Any]) -> dict[str, Any]:
    text = make_metadata(resource(), given, limits={}, settings={})
    assert text.endswith("}\n")
    value: dict[str, Any] = json.loads(text)
    return value


def test_resources_are_found_by_the_patterns_of_the_kind() -> None:
    found = find_resources(kind_of(), "pay", PATHS)

    assert sorted(found.resources) == [
        "pay.billing.invoices.prod",
        "pay.billing.invoices.qa",
        "pay.billing.ledger.dev",
    ]
    assert found.resources["pay.billing.ledger.dev"].parts == {
        "unit": "pay",
        "team": "billing",
        "name": "ledger",
        "env": "dev",
    }
    assert found.refused == {}


def test_repository_decides_the_resource() -> None:
    assert "shop.billing.ledger.dev" in find_resources(kind_of(), "shop", PATHS).resources


@pytest.mark.parametrize(
    ("path", "place", "why"),
    [
        ("services/billing/UPPER/values-qa.yaml", "services/billing/UPPER", "3 to 32"),
        ("services/billing/a..b/values-qa.yaml", "services/billing/a..b", "3 to 32"),
        ("services/billing/invoices/live/x.json", "services/billing/invoices/live", "dev, qa"),
    ],
)
def test_folder_with_another_name_is_refused(path: str, place: str, why: str) -> None:
    found = find_resources(kind_of(), "pay", [path])

    assert found.resources == {}
    assert list(found.refused) == [place]
    assert why in found.refused[place]


def test_identifier_in_two_places_is_refused() -> None:
    kind = kind_of(SHIPPED)
    spec = kind.spec.model_copy(update={"locate": {"team": "team"}})
    part = kind.parts["name"]
    moved = Kind(
        **{
            **{name: getattr(kind, name) for name in kind.__dataclass_fields__},
            "spec": spec,
            "files": (type(kind.metadata).parse("apps/{team}/{name}/**"),),
            "metadata": type(kind.metadata).parse("apps/{team}/{name}/portData.json"),
            "parts": {"name": part, "team": part},
        }
    )

    found = find_resources(moved, "services", ["apps/one/shop/a.yaml", "apps/two/shop/a.yaml"])

    assert found.resources == {}
    assert "apps/one/shop and apps/two/shop" in found.refused["shop"]


def test_metadata_equals_that_of_a_create() -> None:
    assert made(GIVEN) == {
        "identifier": "pay.billing.invoices.qa",
        **GIVEN,
        "on_call": None,
        "blueprint": "service",
        "run_id": "adopted",
    }


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"tier": "platinum"}, "Input 'Tier' must be one of"),
        ({"cost_center": "42"}, "Input 'Cost center' must match"),
        ({"colour": "red"}, "no input 'colour'"),
    ],
)
def test_value_refused_by_the_form_is_refused(change: dict[str, Any], why: str) -> None:
    with pytest.raises(UserError, match=why):
        made(GIVEN | change)


def test_missing_values_are_named_with_their_titles() -> None:
    with pytest.raises(UserError, match=r"'tier' \(Tier\), 'cost_center' \(Cost center\)"):
        made({})


def test_typed_text_stays_text() -> None:
    typed = 'x"\n, "blueprint": "other'

    with pytest.raises(UserError, match="Slack channel"):
        made(GIVEN | {"slack_channel": typed})


def test_copied_values_come_from_port() -> None:
    entity = {"tier": "silver", "replicas": 3, "language": None, "on_call": "ada@acme.example"}

    assert inputs_in_port(kind_of(), entity) == {"tier": "silver", "on_call": "ada@acme.example"}
