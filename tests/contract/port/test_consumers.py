"""Several installations in one Port organisation, as `scripts/doctor` sees them."""

from collections.abc import Callable, Iterator

import pytest

from scripts.checks import kafka, port
from scripts.checks.result import Installation
from scripts.port_definitions import load_definitions
from scripts.port_setup import apply, plan, write_record
from tests.port_server import CREDENTIALS, PortServer
from tests.scripted import ScriptedServer

pytestmark = pytest.mark.waits

FIRST = "111111111111/eu-west-1/slipway"

Install = Callable[..., Installation]


@pytest.fixture
def install(server: PortServer) -> Iterator[Install]:
    """Install an installation's actions in Port as `scripts/port_setup --apply` does."""
    with ScriptedServer().running() as aws:

        def installed(name: str, prefix: str = "", **settings: str) -> Installation:
            account, region, name_prefix = name.split("/")
            settings |= {"IDENTIFIER_PREFIX": prefix}
            definitions = load_definitions(settings)
            for step in plan(server.client, definitions, prefix):
                apply(server.client, step)
            write_record(server.client, definitions, prefix, name)
            function = f"{name_prefix}-sweep_runs"
            arn = f"arn:aws:lambda:{region}:{account}:function:{function}"
            route = f"GET /2015-03-31/functions/{function}/configuration"
            aws.script(route, (200, {"FunctionArn": arn}, {}))
            credentials = {f"PORT_{name.upper()}": value for name, value in CREDENTIALS.items()}
            access = {"PORT_BASE_URL": server.url, "AWS_ENDPOINT_URL": aws.url}
            return Installation(
                {**settings, **credentials, **access, "AWS_REGION": region}, name_prefix
            )

        yield installed
        write_record(server.client, load_definitions(), "", "")
        write_record(server.client, load_definitions(), "eu_", "")


def test_two_prefixes_have_one_consumer_each(install: Install) -> None:
    other = install("222222222222/eu-west-1/europe", "eu_")
    first = install(FIRST)

    found = [check(each) for each in (first, other) for check in (port.consumers, port.definitions)]
    groups = kafka.consumer_groups(first)

    assert [result.ok for result in found] == [True] * 4
    assert (groups.ok, groups.detail) == (True, "this installation only")


def test_second_consumer_of_the_same_actions_is_named(install: Install) -> None:
    first = install(FIRST)
    install("222222222222/eu-west-1/europe")

    found = port.consumers(first)

    assert found.ok is False
    assert "222222222222/eu-west-1/europe has the same actions" in found.detail
    assert "identifier_prefix" in found.cure


def test_installation_with_the_same_groups_is_named(install: Install) -> None:
    install("222222222222/us-east-1/slipway", "eu_")
    first = install(FIRST)

    found = kafka.consumer_groups(first)

    assert found.ok is False
    assert "222222222222/us-east-1/slipway has the same groups" in found.detail
    assert "name_prefix" in found.cure


@pytest.mark.parametrize("source", [{"KAFKA_MODE": "msk"}, {"RUN_SOURCE": "webhook"}])
def test_groups_are_compared_only_on_ports_cluster(
    install: Install, source: dict[str, str]
) -> None:
    install("222222222222/us-east-1/slipway", "eu_")
    first = install(FIRST, **source)

    assert kafka.consumer_groups(first).ok is None
    assert port.consumers(first).ok is True
