"""`scripts/port_setup` with a real HTTP server that stores objects like Port."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, cast

import pytest
import typer
from slipway.errors import ConfigurationError
from slipway.port.transport import PortTransport
from typer.testing import CliRunner

from scripts import port_definitions, port_setup
from scripts.environment import read_settings
from scripts.port_overlay import additions, overlay
from tests.catalogs.samples import ACME, SHIPPED, catalog, changed
from tests.scripted import LocalServer

pytestmark = pytest.mark.waits

CHANGES = sorted(name for kind in catalog(SHIPPED).kinds.values() for name in kind.actions)
IDENTIFIERS = [
    "blueprint bucket",
    "blueprint service",
    "blueprint approval_request",
    "blueprint slipway_setup",
    *(f"action {name}" for name in [*CHANGES, "decide_approval"]),
    *(f"automation {name}_ended" for name in CHANGES),
    "automation service_health_changes",
]


class FakePort(LocalServer):
    """Blueprints and actions as Port stores them: with further fields of its own."""

    def __init__(self) -> None:
        super().__init__(Handler)
        self.objects: dict[str, dict[str, Any]] = {}
        self.writes: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.refuse: dict[str, tuple[int, str, str]] = {}
        self.is_gateway = False

    @property
    def record(self) -> dict[str, Any]:
        """Return what was installed last."""
        entity = self.objects["/v1/blueprints/slipway_setup/entities/installed"]
        found: dict[str, Any] = entity["properties"]["definitions"]
        return found


class Handler(BaseHTTPRequestHandler):
    server: FakePort

    def do_GET(self) -> None:
        if self.server.is_gateway:
            self._answer(404, {"message": "no upstream"})
            return
        found = self.server.objects.get(self.path)
        kind = "entity" if "/entities" in self.path else self.path.split("/")[2].removesuffix("s")
        if found is None:
            self._answer(404, {"ok": False, "error": "not_found", "message": "not found"})
        else:
            self._answer(200, {"ok": True, kind: found})

    def do_POST(self) -> None:
        body = self._body()
        if self.path == "/v1/auth/access_token":
            self._sign_in()
        else:
            route = self.path.partition("?")[0]
            self._write(f"{route}/{body['identifier']}", body)

    def do_PUT(self) -> None:
        self._write(self.path, self._body())

    def do_DELETE(self) -> None:
        self.server.writes.append(f"DELETE {self.path}")
        del self.server.objects[self.path]
        self._answer(200, {"ok": True})

    def _sign_in(self) -> None:
        if "sign in" in self.server.refuse:
            self._refuse("sign in")
        else:
            self._answer(200, {"ok": True, "accessToken": "token", "expiresIn": 3600})

    def _write(self, path: str, body: dict[str, Any]) -> None:
        if path in self.server.refuse:
            self._refuse(path)
            return
        if "/entities/" not in path:
            self.server.writes.append(f"{self.command} {path}")
            self.server.bodies.append(body)
        added = {"createdAt": "2026-01-01T00:00:00Z", "createdBy": "me", "id": "x", "publish": True}
        kept = {key: value for key, value in body.items() if value not in (False, {}, [])}
        self.server.objects[path] = {**added, **kept}
        self._answer(201, {"ok": True})

    def _refuse(self, what: str) -> None:
        status, code, message = self.server.refuse[what]
        self._answer(status, {"ok": False, "error": code, "message": message})

    def _body(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        return value

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        """Keep the tests' output quiet."""


@pytest.fixture
def port() -> Iterator[FakePort]:
    with FakePort().running() as server:
        yield server


@pytest.fixture
def env_file(port: FakePort, tmp_path: Path) -> Path:
    file = tmp_path / "env"
    file.write_text(
        f"# the sandbox's\nPORT_BASE_URL={port.url}\n"
        "export PORT_CLIENT_ID='an id'\nPORT_CLIENT_SECRET=\"a-long-secret\"\n"
    )
    return file


def invoke(env_file: Path, *arguments: str) -> tuple[int, str]:
    app = typer.Typer()
    app.command()(port_setup.main)
    result = CliRunner().invoke(app, ["--env-file", str(env_file), *arguments])
    return result.exit_code, result.output


def test_port_setup_writes_nothing_without_apply(port: FakePort, env_file: Path) -> None:
    code, output = invoke(env_file)

    assert code == 0
    assert port.writes == []
    for identifier in IDENTIFIERS:
        assert f"{identifier} would be created" in output


def test_nothing_is_created_after_a_404_from_a_gateway(
    port: FakePort, env_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(cast("Any", PortTransport.__init__).__kwdefaults__, "retry_budget", 0)
    port.is_gateway = True

    code, output = invoke(env_file, "--apply")

    assert code == 1
    assert "Check PORT_BASE_URL" in output
    assert port.writes == []


def test_env_file_may_begin_with_a_byte_order_mark(port: FakePort, env_file: Path) -> None:
    env_file.write_text(env_file.read_text().partition("\n")[2], encoding="utf-8-sig")

    code, output = invoke(env_file)

    assert (code, "blueprint service would be created" in output) == (0, True)


def test_apply_installs_the_blueprint_before_its_actions(port: FakePort, env_file: Path) -> None:
    code, _ = invoke(env_file, "--apply")

    assert code == 0
    routes = {"blueprint": "blueprints", "action": "actions", "automation": "actions"}
    kinds = [identifier.split() for identifier in IDENTIFIERS]
    assert port.writes == [f"POST /v1/{routes[kind]}/{name}" for kind, name in kinds]


def test_second_apply_changes_nothing(port: FakePort, env_file: Path) -> None:
    invoke(env_file, "--apply")
    port.writes.clear()

    code, output = invoke(env_file, "--apply")

    assert code == 0
    assert "Nothing to change" in output
    assert port.writes == []


def test_dry_run_shows_a_diff(port: FakePort, env_file: Path) -> None:
    invoke(env_file, "--apply")
    port.objects["/v1/actions/delete_service"]["title"] = "Old title"

    code, output = invoke(env_file, "--dry-run")

    assert code == 0
    assert "action delete_service would be changed" in output
    assert '-  "title": "Old title"' in output
    assert '+  "title": "Delete Service"' in output
    assert "create_service would" not in output


def test_update_keeps_additions_of_the_organisation(port: FakePort, env_file: Path) -> None:
    invoke(env_file, "--apply")
    schema = port.objects["/v1/blueprints/service"]["schema"]
    schema["properties"]["tier"] = {"type": "string", "title": "Tier"}
    schema["properties"]["owner"]["title"] = "Changed by hand"

    invoke(env_file, "--apply")

    properties = port.objects["/v1/blueprints/service"]["schema"]["properties"]
    assert properties["tier"] == {"type": "string", "title": "Tier"}
    assert properties["owner"]["title"] == "Owner"


def test_added_input_of_the_organisation_stays_in_the_form(port: FakePort, env_file: Path) -> None:
    invoke(env_file, "--apply")
    inputs = port.objects["/v1/actions/upscale_service"]["trigger"]["userInputs"]
    # The action before it had a dry-run input.
    del inputs["properties"]["dry_run"]
    inputs["properties"]["ticket"] = {"type": "string"}
    inputs |= {"order": ["ticket", "step"], "required": ["ticket"]}

    invoke(env_file, "--apply")

    inputs = port.objects["/v1/actions/upscale_service"]["trigger"]["userInputs"]
    assert list(inputs["properties"]) == ["step", "ticket", "dry_run"]
    assert inputs["order"] == ["step", "dry_run", "ticket"]
    assert inputs["required"] == ["ticket"]


def test_added_input_of_the_organisation_stays_in_its_step() -> None:
    ours = {
        "properties": {"a": {}, "b": {}, "new": {}},
        "steps": [{"title": "One", "order": ["a"]}, {"title": "Two", "order": ["b", "new"]}],
    }
    current = {
        "properties": {"a": {}, "b": {}, "cost": {}, "ticket": {}},
        "steps": [
            {"title": "One", "order": ["cost", "a"]},
            {"title": "Theirs", "order": ["ticket"], "visible": True},
            {"title": "Two", "order": ["b"]},
        ],
    }

    merged = overlay(current, ours)

    assert merged["steps"] == [
        {"title": "One", "order": ["a", "cost"]},
        {"title": "Two", "order": ["b", "new"]},
        {"title": "Theirs", "order": ["ticket"], "visible": True},
    ]
    assert overlay(merged, ours) == merged


def test_input_becomes_optional_when_no_longer_required() -> None:
    ours = {"properties": {"step": {}}, "order": ["step"], "required": []}
    current = {"properties": {"step": {}}, "order": ["step"], "required": ["step"]}

    assert overlay(current, ours) == ours


def test_disabled_automation_is_shown_and_enabled(port: FakePort, env_file: Path) -> None:
    invoke(env_file, "--apply")
    automation = port.objects["/v1/actions/upscale_service_ended"]
    automation["publish"] = False
    automation["trigger"]["condition"]["expressions"] = ["true"]

    _, shown = invoke(env_file, "--dry-run")
    invoke(env_file, "--apply")

    assert "automation upscale_service_ended would be changed" in shown
    assert '-  "publish": false' in shown
    assert '+  "publish": true' in shown
    automation = port.objects["/v1/actions/upscale_service_ended"]
    assert automation["publish"] is True
    assert len(automation["trigger"]["condition"]["expressions"]) == 2
    assert "Nothing to change" in invoke(env_file, "--dry-run")[1]


def test_update_sends_no_server_field(port: FakePort, env_file: Path) -> None:
    invoke(env_file, "--apply")
    port.objects["/v1/actions/delete_service"]["title"] = "Old title"
    port.bodies.clear()

    invoke(env_file, "--apply")

    (body,) = port.bodies
    assert body["title"] == "Delete Service"
    assert not {"id", "createdAt", "createdBy"} & body.keys()


def test_payload_template_is_replaced_completely() -> None:
    current = {"invocationMethod": {"type": "KAFKA", "payload": {"runId": "{{ .run.id }}"}}}
    ours = {"invocationMethod": {"type": "KAFKA", "payload": {"action": "a"}}}

    assert overlay(current, ours) == ours


def test_order_is_replaced_only_by_existing_steps() -> None:
    assert overlay({"order": ["a"]}, {"steps": []}) == {"order": ["a"]}
    assert overlay({"order": ["a"]}, {"steps": [1]}) == {"steps": [1]}


@pytest.mark.parametrize(
    ("where", "refusal", "words"),
    [
        ("sign in", (401, "invalid_credentials", "wrong"), ["PORT_CLIENT_ID", "region"]),
        (
            "/v1/blueprints/service",
            (403, "missing_permissions", "no"),
            ["service", "role", "Admin"],
        ),
        (
            "/v1/actions/create_service",
            (422, "user_inputs_schema_invalid", "bad icon"),
            ["action create_service", "bad icon"],
        ),
    ],
)
def test_refusal_names_the_object_and_the_fix(
    port: FakePort,
    env_file: Path,
    where: str,
    refusal: tuple[int, str, str],
    words: list[str],
) -> None:
    port.refuse[where] = refusal

    code, output = invoke(env_file, "--apply")

    assert code == 1
    for word in words:
        assert word in output
    assert "a-long-secret" not in output


def test_missing_settings_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PORT_CLIENT_SECRET", raising=False)
    file = tmp_path / "env"
    file.write_text("PORT_BASE_URL=http://127.0.0.1:1\nPORT_CLIENT_ID=a\n")

    code, output = invoke(file)

    assert code == 2
    assert "PORT_CLIENT_SECRET" in output


@pytest.mark.parametrize("text", ["PORT_BASE_URL", "A='b", "1A=b"])
def test_malformed_env_file_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "env"
    file.write_text(text)

    with pytest.raises(ConfigurationError, match="env"):
        read_settings(file)


# -- earlier installations


@pytest.fixture
def definitions(monkeypatch: pytest.MonkeyPatch) -> port_definitions.Definitions:
    """Return the definitions to install, as a list that tests change."""
    found = port_definitions.load_definitions()
    monkeypatch.setattr(port_setup, "load_definitions", lambda *_: list(found))
    return found


def inputs_of(body: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = body["trigger"]["userInputs"]
    return found


def test_old_name_of_a_renamed_input_is_removed(
    port: FakePort,
    env_file: Path,
    definitions: port_definitions.Definitions,
) -> None:
    ours = next(body for _, body in definitions if body["identifier"] == "upscale_service")
    inputs = inputs_of(ours)
    new = json.loads(json.dumps(inputs))
    inputs["properties"]["steps"] = {"type": "number"}
    inputs |= {"required": ["steps"], "order": ["steps", "dry_run"]}
    del inputs["properties"]["step"]
    invoke(env_file, "--apply")
    theirs = inputs_of(port.objects["/v1/actions/upscale_service"])
    theirs["properties"]["ticket"] = {"type": "string"}
    theirs |= {"required": ["steps", "ticket"], "order": ["ticket", "steps", "dry_run"]}
    ours["trigger"]["userInputs"] = new

    _, shown = invoke(env_file)
    invoke(env_file, "--apply")

    found = inputs_of(port.objects["/v1/actions/upscale_service"])
    assert sorted(found["properties"]) == ["dry_run", "step", "ticket"]
    assert (found["required"], found["order"]) == (["ticket"], ["step", "dry_run", "ticket"])
    assert '-        "steps": {' in shown
    assert "action upscale_service keeps what your organisation has added" in shown
    assert "trigger.userInputs.properties.ticket" in shown
    assert "Nothing to change" in invoke(env_file)[1]


def test_enum_keeps_added_values_and_drops_removed_ones(port: FakePort, env_file: Path) -> None:
    invoke(env_file, "--apply")
    path = "/v1/blueprints/service"
    before = port.record["blueprint service"]["schema"]["properties"]["environment"]
    before["enum"] = [*before["enum"], "Old"]
    before["enumColors"] = {**before["enumColors"], "Old": "red"}
    theirs = port.objects[path]["schema"]["properties"]["environment"]
    theirs["enum"] = [*before["enum"], "QA"]
    theirs["enumColors"] = {**before["enumColors"], "QA": "blue"}

    _, shown = invoke(env_file)
    invoke(env_file, "--apply")

    found = port.objects[path]["schema"]["properties"]["environment"]
    assert found["enum"] == ["Test", "Staging", "Production", "QA"]
    assert list(found["enumColors"]) == ["Test", "Staging", "Production", "QA"]
    assert "schema.properties.environment.enum 'QA'" in shown


def test_unknown_blueprint_fields_are_kept(port: FakePort, env_file: Path) -> None:
    invoke(env_file, "--apply")
    port.objects["/v1/blueprints/service"] |= {"includeInGlobalSearch": True, "title": "By hand"}

    _, shown = invoke(env_file)
    invoke(env_file, "--apply")

    assert port.bodies[-1]["title"] == "Service"
    assert port.bodies[-1]["includeInGlobalSearch"] is True
    assert "includeInGlobalSearch" in shown


def test_action_that_is_no_longer_defined_is_deleted(
    port: FakePort,
    env_file: Path,
    definitions: port_definitions.Definitions,
) -> None:
    old = {**definitions[-1][1], "identifier": "old_ended"}
    definitions.append(("action", old))
    definitions.append(("blueprint", {**definitions[0][1], "identifier": "old"}))
    invoke(env_file, "--apply")
    port.writes.clear()
    del definitions[-2:]

    _, shown = invoke(env_file)
    invoke(env_file, "--apply")

    assert "automation old_ended would be deleted" in shown
    assert port.writes == ["DELETE /v1/actions/old_ended"]
    assert "/v1/blueprints/old" in port.objects
    assert "action old_ended" not in port.record


def test_automations_of_subscriptions_follow_the_table(port: FakePort, env_file: Path) -> None:
    table = [{"name": "audit", "state_machine": "m", "filter": {"blueprint": "service"}}]
    settings = env_file.read_text()
    env_file.write_text(f"{settings}SUBSCRIPTIONS='{json.dumps(table)}'\n")
    invoke(env_file, "--apply")
    assert "/v1/actions/audit_changes" in port.objects

    env_file.write_text(settings)
    assert "Nothing to change" in invoke(env_file, "--apply")[1]
    env_file.write_text(f"{settings}SUBSCRIPTIONS='[]'\n")
    invoke(env_file, "--apply")

    assert "/v1/actions/audit_changes" not in port.objects
    assert "/v1/actions/service_health_changes" in port.objects


def test_changelog_destination_of_older_releases_is_removed(port: FakePort, env_file: Path) -> None:
    invoke(env_file, "--apply")
    del port.objects["/v1/blueprints/slipway_setup/entities/installed"]
    port.objects["/v1/blueprints/service"]["changelogDestination"] = {"type": "KAFKA"}

    invoke(env_file, "--apply")

    assert "changelogDestination" not in port.objects["/v1/blueprints/service"]


def test_dry_run_writes_no_record(port: FakePort, env_file: Path) -> None:
    invoke(env_file)

    assert port.objects == {}


def test_additions_omit_server_defaults() -> None:
    wanted = {"a": 1, "b": {}, "c": False, "d": {"e": 2, "x": [1]}, "f": None}

    assert list(additions(wanted, {"a": 1, "d": {"e": 2}})) == ["d.x"]


# -- another company's catalog


def test_company_catalog_replaces_the_shipped_catalog(port: FakePort, env_file: Path) -> None:
    invoke(env_file, "--apply")

    invoke(env_file, "--apply", f"--catalog={ACME}")

    installed = {path.removeprefix("/v1/actions/") for path in port.objects if "actions" in path}
    theirs = ["configure_service", "create_service", "delete_service", "redeploy_service"]
    ended = {f"{name}_ended" for name in theirs}
    assert installed == {*theirs, *ended, "decide_approval", "service_health_changes"}
    properties = port.objects["/v1/blueprints/service"]["schema"]["properties"]
    assert "cost_center" in properties
    assert "project" not in properties
    # Its entities would be deleted with it.
    assert "/v1/blueprints/bucket" in port.objects
    assert "Nothing to change" in invoke(env_file, "--apply", f"--catalog={ACME}")[1]


def test_catalog_with_a_fault_installs_nothing(
    port: FakePort, env_file: Path, tmp_path: Path
) -> None:
    files = changed(ACME, "service/delete_service/action.yaml", "operation: delete", "operation: x")
    for path, data in files.items():
        (tmp_path / "catalog" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "catalog" / path).write_bytes(data)

    code, output = invoke(env_file, "--apply", f"--catalog={tmp_path / 'catalog'}")

    assert code == 2
    assert "service/delete_service/action.yaml:2" in output
    assert port.writes == []


def test_prefix_separates_two_installations(port: FakePort, env_file: Path) -> None:
    invoke(env_file, "--apply")
    first = {path for path in port.objects if "/actions/" in path}
    env_file.write_text(f"{env_file.read_text()}IDENTIFIER_PREFIX=eu_\n")

    invoke(env_file, "--apply", f"--catalog={ACME}")

    actions = {path for path in port.objects if "/actions/" in path}
    assert first < actions
    assert {path.rpartition("/")[2][:3] for path in actions - first} == {"eu_"}
    ended = port.objects["/v1/actions/eu_delete_service_ended"]
    assert ended["trigger"]["event"]["actionIdentifier"] == "eu_delete_service"
    assert ended["invocationMethod"]["payload"]["action"] == "eu_run_ended"
    assert "/v1/blueprints/eu_service" not in port.objects
    assert "Nothing to change" in invoke(env_file, f"--catalog={ACME}")[1]


def test_prefix_that_is_not_an_identifier_is_refused(port: FakePort, env_file: Path) -> None:
    env_file.write_text(f"{env_file.read_text()}IDENTIFIER_PREFIX=eu-\n")

    code, output = invoke(env_file, "--apply")

    assert (code, "IDENTIFIER_PREFIX" in output) == (2, True)
    assert port.writes == []


# -- a second installation with the same actions


def test_actions_of_another_installation_are_refused(port: FakePort, env_file: Path) -> None:
    settings = env_file.read_text()
    env_file.write_text(f"{settings}INSTALLATION=111122223333/eu-west-1/slipway\n")
    invoke(env_file, "--apply")
    assert "Nothing to change" in invoke(env_file, "--apply")[1]
    env_file.write_text(f"{settings}INSTALLATION=111122223333/eu-west-1/other\n")
    port.writes.clear()

    code, output = invoke(env_file, "--apply", f"--catalog={ACME}")

    assert (code, port.writes) == (1, [])
    assert "belong to the installation 111122223333/eu-west-1/slipway" in output
    assert "identifier_prefix" in output


def test_actions_of_a_removed_installation_are_taken_over(port: FakePort, env_file: Path) -> None:
    settings = env_file.read_text()
    env_file.write_text(f"{settings}INSTALLATION=111122223333/eu-west-1/slipway\n")
    invoke(env_file, "--apply")
    env_file.write_text(f"{settings}INSTALLATION=111122223333/eu-west-1/other\n")

    invoke(env_file, "--apply", "--take-over")

    record = port.objects["/v1/blueprints/slipway_setup/entities/installed"]
    assert record["properties"]["installation"] == "111122223333/eu-west-1/other"
    assert invoke(env_file, "--apply")[0] == 0
