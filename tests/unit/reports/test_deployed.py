"""Templates of what a deployed service has."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from slipway.reports.deployed import DeployedService


def test_values_in_addresses_are_encoded() -> None:
    deployed = DeployedService(urls={"health_url": "https://h.test/{service}?e={environment}"})

    found = deployed.properties("a b/../c", "Test & more")

    assert found["health_url"] == "https://h.test/a%20b%2F..%2Fc?e=test%20%26%20more"


@pytest.mark.parametrize(
    "settings",
    [
        *(
            {"urls": {"health_url": url}}
            for url in ("ftp://x/{service}", "{service}", "https://", "https://a b", "https://{x}")
        ),
        {"urls": {"made_up_url": "https://x.test"}},
        {"namespace": ""},
        {"namespace": "{namespace}"},
        *({"ttl_days": days} for days in (0, -1, "a", 1.5, 100_000)),
    ],
)
def test_template_that_cannot_work_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        DeployedService.model_validate(settings)


@given(st.text(max_size=50), st.text(max_size=50))
def test_no_value_changes_the_host_of_an_address(service: str, environment: str) -> None:
    deployed = DeployedService(
        namespace="{environment}-{service}", urls={"grafana_url": "https://g.test/{namespace}"}
    )

    try:
        url = deployed.properties(service, environment)["grafana_url"]
    except UnicodeEncodeError:
        return  # Half of a surrogate pair, which no file of UTF-8 holds.

    assert url.startswith("https://g.test/")
    assert "/" not in url.removeprefix("https://g.test/")
