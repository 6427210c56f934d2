"""`scripts/adopt` with the sandbox's GitHub and the real engine; Port is a dictionary."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from slipway.changes.policy import Policy
from slipway.config import GitHubConfig, GitHubCredentials
from slipway.errors import ConfigurationError
from slipway.github.models import Place
from slipway.github.repository import ServicesRepository

from scripts import adopt
from scripts.adopt import AdoptConfig, Adoption, Row, read_values
from tests.catalogs.samples import ACME, catalog
from tests.contract.github.conftest import TOKEN, Services
from tests.fakes.port import FakePort

KIND = catalog(ACME).kinds["service"]
FOLDER = "services/billing/invoices"
FILES: dict[str, str | None] = {
    f"{FOLDER}/values-qa.yaml": "deployment: {replicaCount: 2, image: {tag: '1.10'}}\n",
    f"{FOLDER}/qa/config.json": '{"debug": true}\n',
}
QA = "pay.billing.invoices.qa"
VALUES = {
    "*": {"tier": "silver", "cost_center": "CC-0001", "language": "go", "slack_channel": "#a"}
}


Adopt = Callable[..., list[Row]]


@pytest.fixture
def port() -> FakePort:
    return FakePort()


@pytest.fixture
def run(services: Services, port: FakePort, monkeypatch: pytest.MonkeyPatch) -> Adopt:
    """Run the command for one repository with two keys, of which one is a unit."""
    github = GitHubConfig.model_validate(
        {"GITHUB_API_URL": services.server.api, "GITHUB_SECRET_ID": "slipway/github"}
    )
    token = GitHubCredentials(token=SecretStr(TOKEN))
    place = Place(name=services.github.full_name)
    repository = ServicesRepository(github, place, lambda fresh: token)
    # An adoption has no run, so it does not read the ledger and needs no account.
    monkeypatch.setattr(adopt, "Ledger", lambda _table: None)
    monkeypatch.setattr(adopt, "port_client", lambda: port)
    monkeypatch.setattr(adopt, "services_repository", lambda *_, **__: repository)
    policy = Policy.model_validate(
        {
            "schema_version": 1,
            "repositories": {"pay": place, "services": place},
            "default": {"approval": {"emails": ["ops@acme.example"]}},
            "own_actions": {},
        }
    )
    known: dict[str, Any] = {"runs_table": "runs", "identifier_prefix": ""}
    config = AdoptConfig.model_construct(**known)

    def rows(*, write: bool = False, most: int = 20, values: Any = VALUES) -> list[Row]:
        return list(Adoption(config, policy, KIND, values, most, write).rows())

    return rows


def test_dry_run_shows_the_proposal(services: Services, run: Adopt) -> None:
    services.push(FILES)

    (row,) = run()

    assert (row.name, row.state) == (QA, "propose")
    assert list(services.github.get_pulls(state="all")) == []


def test_adoption_proposes_only_the_metadata(services: Services, run: Adopt) -> None:
    services.push(FILES)

    (row,) = run(write=True)

    (pull,) = services.github.get_pulls()
    assert row.text.startswith(pull.html_url)
    assert pull.head.ref == f"slipway/adopt/service/{QA}"
    (file,) = pull.get_files()
    assert (file.filename, file.status) == (f"{FOLDER}/port-qa.json", "added")
    content = services.github.get_contents(file.filename, ref=pull.head.sha)
    assert not isinstance(content, list)
    said = json.loads(content.decoded_content)
    assert (said["identifier"], said["tier"], said["blueprint"]) == (QA, "silver", "service")


def test_second_call_proposes_nothing_more(services: Services, run: Adopt) -> None:
    services.push(FILES)
    run(write=True)

    (row,) = run(write=True)

    assert row.state == "proposed"
    assert len(list(services.github.get_pulls(state="all"))) == 1


def test_values_of_a_port_entity_override_common_values(
    services: Services, run: Adopt, port: FakePort
) -> None:
    services.push(FILES)
    port.entities[QA] = {"tier": "gold"}

    run(write=True, values={**VALUES, QA: {"language": "java"}})

    (pull,) = services.github.get_pulls()
    content = services.github.get_contents(f"{FOLDER}/port-qa.json", ref=pull.head.sha)
    assert not isinstance(content, list)
    said = json.loads(content.decoded_content)
    assert (said["tier"], said["language"], said["slack_channel"]) == ("gold", "java", "#a")


def test_entity_is_written_when_its_metadata_exists(
    services: Services, run: Adopt, port: FakePort
) -> None:
    services.push(FILES)
    run(write=True)
    (pull,) = services.github.get_pulls()
    pull.merge()

    (shown,) = run()
    (row,) = run(write=True)
    (again,) = run(write=True)

    assert (shown.state, row.state, again.state) == ("entity", "entity", "adopted")
    properties = port.entities[QA]
    assert (properties["tier"], properties["debug"], properties["replicas"]) == ("silver", True, 2)


@pytest.mark.parametrize("text", ["{}", "not json", json.dumps({"identifier": "other"})])
def test_existing_metadata_is_never_overwritten(services: Services, run: Adopt, text: str) -> None:
    services.push({**FILES, f"{FOLDER}/port-qa.json": text})

    (row,) = run(write=True)

    assert row.state == "refused"
    assert f"{FOLDER}/port-qa.json" in row.text
    assert list(services.github.get_pulls(state="all")) == []


def test_unadoptable_resource_is_named(services: Services, run: Adopt) -> None:
    services.push({**FILES, "services/billing/Wrong/values-qa.yaml": "a: 1\n"})

    wrong, invoices = run(write=True, values={QA: {"tier": "gold"}})

    assert (wrong.name, wrong.state) == ("services/billing/Wrong", "refused")
    assert "cannot be 'name'" in wrong.text
    assert (invoices.name, invoices.state) == (QA, "refused")
    assert "'cost_center' (Cost center)" in invoices.text


def test_closed_pull_request_is_not_opened_again(services: Services, run: Adopt) -> None:
    services.push(FILES)
    run(write=True)
    (pull,) = services.github.get_pulls()
    pull.edit(state="closed")

    (row,) = run(write=True)

    assert row.state == "refused"
    assert pull.html_url in row.text


def test_call_stops_at_the_pull_request_limit(services: Services, run: Adopt) -> None:
    other = {path.replace("-qa", "-dev").replace("/qa/", "/dev/"): FILES[path] for path in FILES}
    services.push({**FILES, **other})

    first = run(write=True, most=1)
    second = run(write=True, most=1)

    assert [row.state for row in first] == ["propose", "later"]
    assert [row.state for row in second] == ["proposed", "propose"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[1]", "cannot be read"),
        ("a: 1", "'a' must be a mapping"),
        ('"*": {colour: red}', "no input 'colour'"),
    ],
)
def test_invalid_values_file_is_refused(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(text)

    with pytest.raises(ConfigurationError, match=why):
        read_values(file, KIND)
