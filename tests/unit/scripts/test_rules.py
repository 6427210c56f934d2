"""The approval policy held against a catalog."""

import pytest
from slipway.catalog.loading import load_catalog

from scripts.rules import environments_of, misfits
from tests.catalogs.samples import ACME, SHIPPED, catalog, changed

EVERYTHING = {"actions": ["*"], "environments": ["*"]}


def test_environments_are_those_that_creates_lead_to() -> None:
    assert environments_of(catalog(SHIPPED)) == {"Test", "Staging", "Production"}
    assert environments_of(catalog(ACME)) == {"dev", "qa", "prod"}


def test_environments_that_are_typed_are_not_known() -> None:
    choices = '"enum": ["dev", "qa", "prod"]'
    path = "service/create_service/action.json"
    files = changed(ACME, path, f", {choices}", "")

    assert environments_of(load_catalog(files)) == set()


def test_rule_for_everything_fits() -> None:
    assert misfits(catalog(ACME), [EVERYTHING], []) == []


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"actions": ["create_servise"], "environments": ["*"]}, "'create_servise', which is not"),
        ({"actions": ["*"], "environments": ["Production"]}, "environment 'Production'"),
    ],
)
def test_rule_for_what_is_not_there_is_named(rule: dict[str, list[str]], said: str) -> None:
    (sentence,) = misfits(catalog(ACME), [rule, EVERYTHING], [])

    assert said in sentence


def test_action_without_a_rule_is_named() -> None:
    rule = {
        "actions": ["create_service", "configure_service", "delete_service"],
        "environments": ["*"],
    }

    (sentence,) = misfits(catalog(ACME), [rule], [])

    assert "'redeploy_service'" in sentence


def test_limits_for_another_action_are_named() -> None:
    (sentence,) = misfits(catalog(ACME), [EVERYTHING], ["upscale_service"])

    assert "Limits are for 'upscale_service'" in sentence
