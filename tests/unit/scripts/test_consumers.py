"""The account's functions that belong to an installation and read an event source."""

import pytest

from scripts import consumers
from tests.scripted import ScriptedServer

pytestmark = pytest.mark.waits

FUNCTION = "arn:aws:lambda:eu-west-1:111122223333:function:"


def test_consumers_are_those_of_this_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [
        "slipway-upscale_service:live",
        "slipway-approval:live",
        "slipway-eu-upscale_service:live",
        "other:live",
    ]
    mappings = [
        {"UUID": name, "FunctionArn": FUNCTION + name, "State": "Enabled"} for name in names
    ]
    with ScriptedServer().running() as server:
        for name, value in {
            "AWS_ENDPOINT_URL": server.url,
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }.items():
            monkeypatch.setenv(name, value)
        first, rest = mappings[:1], mappings[1:]
        server.script(
            "GET /2015-03-31/event-source-mappings",
            (200, {"EventSourceMappings": first, "NextMarker": "more"}, {}),
            (200, {"EventSourceMappings": rest}, {}),
        )

        found = consumers.find("slipway")

    assert [(one.name, one.state) for one in found] == [
        ("approval", "Enabled"),
        ("upscale_service", "Enabled"),
    ]
    assert found[0].alias_arn == f"{FUNCTION}slipway-approval:live"
