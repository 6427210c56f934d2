"""Requests of `scripts/install` to Port and GitHub, on the sandbox's stand-ins."""

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from github.Repository import Repository

from scripts.checks.github import REPORT_WORKFLOW, REPORTS_VARIABLE
from scripts.installing.config import Config
from scripts.installing.organization import check_owner, find_organization
from scripts.installing.repository import find_repositories, prepare
from scripts.installing.stopped import Stopped
from scripts.port_definitions import load_definitions
from scripts.port_setup import write_record
from tests.contract.github.conftest import TOKEN, GitHubServer, running
from tests.port_server import CREDENTIALS, PortServer

RESTART_WORKFLOW = ".github/workflows/slipway-restart.yml"
REPORTS = "https://reports.test/reports"


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortServer]:
    with PortServer(tmp_path_factory.mktemp("port")) as server:
        yield server


@pytest.fixture(scope="module")
def github(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHubServer]:
    folder = tmp_path_factory.mktemp("github")
    (folder / "seed").mkdir()
    with running(folder, folder / "seed") as server:
        yield server


@pytest.fixture
def repository(github: GitHubServer) -> Repository:
    organization = github.client().get_organization("acme")
    return organization.create_repo(f"s{secrets.token_hex(4)}", auto_init=True)


def config(repository: str = "acme/services", **more: Any) -> Config:
    return Config.model_validate(
        {
            "aws": {"account": "000000000000", "region": "eu-west-1"},
            "github": {"repositories": {"services": {"name": repository}}},
            **more,
        }
    )


def of_port(port: PortServer, **more: Any) -> Config:
    return config(port={"base_url": port.url, **more})


def of_github(github: GitHubServer, repository: str) -> Config:
    repositories = {"services": {"name": repository}}
    return config(github={"api_url": github.api, "repositories": repositories})


def test_organization_and_brokers_are_found(port: PortServer) -> None:
    found = find_organization(of_port(port), CREDENTIALS)

    assert found.number == "org_sandbox"
    assert found.brokers
    assert found.kafka.keys() == {"username", "password"}


def test_webhook_source_needs_no_kafka(port: PortServer) -> None:
    found = find_organization(config(source="webhook", port={"base_url": port.url}), CREDENTIALS)

    assert (found.brokers, found.kafka) == ([], {})


def test_credentials_of_another_organization_are_refused(port: PortServer) -> None:
    with pytest.raises(Stopped, match=r"organisation org_sandbox; .* names org_acme.*port\.org_id"):
        find_organization(of_port(port, org_id="org_acme"), CREDENTIALS)


def test_actions_of_another_installation_are_refused(port: PortServer) -> None:
    settings = of_port(port)
    found = find_organization(settings, CREDENTIALS)
    check_owner(settings, found, "111111111111/eu-west-1/slipway")
    write_record(port.client, load_definitions(), installation="222222222222/eu-west-1/slipway")

    with pytest.raises(Stopped, match=r"installation 222222222222.*identifier_prefix.*take-over"):
        check_owner(settings, found, "111111111111/eu-west-1/slipway")


def test_wrong_port_secret_is_refused(port: PortServer) -> None:
    wrong = CREDENTIALS | {"client_secret": "w" * 64}

    with pytest.raises(Stopped, match=f"Port refused.*{port.url}.*PORT_CLIENT_SECRET"):
        find_organization(of_port(port), wrong)


def test_missing_repository_is_refused(github: GitHubServer) -> None:
    with pytest.raises(Stopped, match="answered 404.*acme/none.*Check the name"):
        find_repositories(of_github(github, "acme/none"), TOKEN)


def test_read_only_token_is_refused(github: GitHubServer, repository: Repository) -> None:
    repository.add_to_collaborators("developer", "pull")
    token = github.token_of("developer")

    with pytest.raises(Stopped, match=f"only read.*{repository.full_name}.*read and write"):
        find_repositories(of_github(github, repository.full_name), token)


def test_missing_workflows_are_proposed_once(repository: Repository) -> None:
    first, second = prepare(repository, REPORTS), prepare(repository, REPORTS)

    (pull,) = repository.get_pulls()
    assert first == second == pull.html_url
    assert {each.filename for each in pull.get_files()} == {REPORT_WORKFLOW, RESTART_WORKFLOW}


def test_prepared_repository_needs_no_pull_request(repository: Repository) -> None:
    prepare(repository, REPORTS)
    repository.get_pulls()[0].merge()

    again = prepare(repository, REPORTS)

    assert again is None


def test_restart_workflow_of_the_team_is_kept(repository: Repository) -> None:
    repository.create_file(RESTART_WORKFLOW, "Restart", "on: workflow_dispatch\njobs: {}\n")

    prepare(repository, REPORTS)

    assert [each.filename for each in repository.get_pulls()[0].get_files()] == [REPORT_WORKFLOW]


def test_reports_address_is_set_and_corrected(repository: Repository) -> None:
    prepare(repository, "https://old.test/reports")
    prepare(repository, REPORTS)

    assert repository.get_variable(REPORTS_VARIABLE).value == REPORTS
