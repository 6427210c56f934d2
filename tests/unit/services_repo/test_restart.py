"""Restarts as a job makes them: from the event to the cluster or the team's script."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import restart
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.scripted import NO_ANSWER, ScriptedServer

pytestmark = pytest.mark.waits

ROUTE = "POST /services/shop/restart"


@pytest.fixture
def cluster() -> Iterator[ScriptedServer]:
    with ScriptedServer().running() as server:
        server.script(ROUTE, (200, {"name": "shop"}, {}))
        yield server


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A checkout with the service `shop`."""
    folder = tmp_path / "repository" / "apps" / "shop"
    folder.mkdir(parents=True)
    (folder / "portData.json").write_text(json.dumps({"environment": "Test"}))
    return folder.parent.parent


def job(repository: Path, service: Any = "shop", **variables: str) -> dict[str, str]:
    event = repository.parent / "event.json"
    event.write_text(json.dumps({"inputs": {"service": service, "remediation": "abc-1"}}))
    return {
        "PATH": "/usr/bin:/bin",
        "GITHUB_EVENT_PATH": str(event),
        "GITHUB_WORKSPACE": str(repository),
        **variables,
    }


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_cluster_is_asked_once(
    repository: Path, cluster: ScriptedServer, waits: list[float], slash: str
) -> None:
    assert restart.main(job(repository, CLUSTER_URL=cluster.url + slash)) == 0
    assert cluster.routes() == [ROUTE]


def test_a_cluster_that_is_away_for_a_moment_is_asked_again(
    repository: Path, cluster: ScriptedServer, waits: list[float]
) -> None:
    cluster.script(ROUTE, (NO_ANSWER, {}, {}), (503, {}, {}), (200, {}, {}))

    assert restart.main(job(repository, CLUSTER_URL=cluster.url)) == 0
    assert cluster.routes() == [ROUTE] * 3


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_cluster_that_refuses_fails_the_job(
    repository: Path,
    cluster: ScriptedServer,
    capsys: pytest.CaptureFixture[str],
    status: int,
) -> None:
    cluster.script(ROUTE, (status, {"message": "No service 'shop' runs here."}, {}))

    assert restart.main(job(repository, CLUSTER_URL=cluster.url)) == 1
    assert "No service 'shop' runs here." in capsys.readouterr().out


def test_without_script_and_address_the_job_says_what_to_set(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert restart.main(job(repository, CLUSTER_URL="")) == 1
    said = capsys.readouterr().out
    assert said.startswith("::error title=Slipway restart::The service was not restarted. ")
    assert "restart.sh" in said
    assert "CLUSTER_URL" in said


@pytest.mark.parametrize(
    "service",
    [
        "",
        "other",
        ".",
        "..",
        "../apps/shop",
        "shop/../shop",
        "shop ",
        "shop\n",
        "Shop",
        "shop; touch owned",
        "$(touch owned)",
        "::set-output name=a::b",
        "a" * 5000,
        None,
        ["shop"],
    ],
)
def test_what_is_no_service_of_the_repository_is_refused(
    repository: Path, cluster: ScriptedServer, service: object, capsys: pytest.CaptureFixture[str]
) -> None:
    assert restart.main(job(repository, service, CLUSTER_URL=cluster.url)) == 1
    assert cluster.routes() == []
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("::error title=Slipway restart::")


@given(st.text(max_size=50))
@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    max_examples=50,
)
def test_any_text_is_a_service_of_the_repository_or_refused(repository: Path, text: str) -> None:
    assert restart.main(job(repository, text), repository / "no-hook") == 1


def test_the_teams_script_goes_first_and_is_told_all_by_its_environment(
    repository: Path, tmp_path: Path, cluster: ScriptedServer
) -> None:
    hook = tmp_path / "restart.sh"
    hook.write_text(f'echo "$# $SERVICE $NAMESPACE $ENVIRONMENT $KEY" >"{tmp_path}/told"\n')
    variables = {"NAMESPACE": "{environment}-{service}", "KEY": "v", "CLUSTER_URL": cluster.url}

    assert restart.main(job(repository, **variables), hook) == 0
    assert (tmp_path / "told").read_text() == "0 shop test-shop Test v\n"
    assert cluster.routes() == []


@pytest.mark.parametrize("script", ["exit 3", "false; true", "echo $UNSET", "false | true"])
def test_a_script_that_fails_anywhere_fails_the_job(
    repository: Path, tmp_path: Path, script: str, capsys: pytest.CaptureFixture[str]
) -> None:
    hook = tmp_path / "restart.sh"
    hook.write_text(f"{script}\n")

    assert restart.main(job(repository), hook) == 1
    assert "restart.sh ended with status" in capsys.readouterr().out


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"environment": "a;b"}', '{"environment": "\\u0000"}', "[" * 100_000],
)
def test_port_data_that_cannot_be_used_is_named(
    repository: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "apps" / "shop" / "portData.json").write_text(text)

    assert restart.main(job(repository)) == 1
    assert "apps/shop/portData.json" in capsys.readouterr().out


def test_a_namespace_with_an_unknown_placeholder_is_named(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert restart.main(job(repository, NAMESPACE="{team}")) == 1
    assert "{team}" in capsys.readouterr().out
