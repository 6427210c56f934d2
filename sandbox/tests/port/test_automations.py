from typing import Any

from sandbox.tests.port.harness import CREATE_SERVICE, Port, add_service, execute

RUN_ENDED = {
    "action": "run_ended",
    "context": {"runId": "{{ .event.diff.after.id }}"},
    "who": "{{ .trigger.by.userId }}",
    "operation": "{{ .event.context.action.trigger.operation }}",
}
ENDED = ['.diff.before.status == "IN_PROGRESS"', '.diff.after.status == "FAILURE"']


def automate(
    port: Port,
    identifier: str,
    event: dict[str, Any],
    method: dict[str, Any],
    expressions: list[str] | None = None,
    combinator: str = "and",
    **more: Any,
) -> None:
    trigger: dict[str, Any] = {"type": "automation", "event": event}
    if expressions is not None:
        trigger["condition"] = {
            "type": "JQ",
            "expressions": expressions,
            "combinator": combinator,
        }
    body = {
        "identifier": identifier,
        "trigger": trigger,
        "invocationMethod": method,
        "publish": True,
        **more,
    }
    port.call("POST", "/actions", body, 201)


def of_run(kind: str) -> dict[str, Any]:
    return {"type": kind, "actionIdentifier": "create_service"}


def of_entity(kind: str) -> dict[str, Any]:
    return {"type": kind, "blueprintIdentifier": "service"}


def kafka(payload: Any) -> dict[str, Any]:
    return {"type": "KAFKA", "payload": payload}


def others(port: Port) -> list[Any]:
    """The messages that are not those of create_service itself."""
    return [m for m in port.messages("runs") if m.get("action") != "create_service"]


def test_the_end_of_a_run_is_published(catalogue: Port) -> None:
    automate(catalogue, "cancelled", of_run("RUN_UPDATED"), kafka(RUN_ENDED), ENDED)
    run = execute(catalogue.sign_in("developer@acme.example"))
    path = f"/actions/runs/{run['id']}"
    catalogue.call("PATCH", path, {"statusLabel": "Busy"})
    assert others(catalogue) == []
    catalogue.call("PATCH", path, {"status": "FAILURE"})
    assert others(catalogue) == [
        {
            "action": "run_ended",
            "context": {"runId": run["id"]},
            "who": "client-1",
            "operation": "CREATE",
        }
    ]


def test_templates_see_the_documented_fields_of_a_run_update(catalogue: Port) -> None:
    automate(catalogue, "cancelled", of_run("RUN_UPDATED"), kafka({"all": "{{ . }}"}))
    run = execute(catalogue.sign_in("developer@acme.example"))
    person = catalogue.sign_in("developer@acme.example")
    person.call("PATCH", f"/actions/runs/{run['id']}", {"status": "FAILURE"})

    (message,) = others(catalogue)
    data = message["all"]
    event = data.pop("event")
    trigger = data.pop("trigger")
    (own,) = catalogue.call("GET", "/actions/runs", action="cancelled")["runs"]
    assert data == {
        "inputs": None,
        "entity": None,
        "action": {"identifier": "cancelled"},
        "run": {"id": own["id"]},
    }
    assert trigger["origin"] == "AUTOMATION"
    assert trigger["by"]["user"]["email"] == "developer@acme.example"
    assert event.keys() == {"id", "resourceType", "action", "trigger", "context", "diff"}
    assert event["id"].startswith("event_")
    assert (event["resourceType"], event["action"]) == ("run", "UPDATE")
    assert event["trigger"]["by"] == {"orgId": "org_sandbox", "userId": run["createdBy"]}
    assert event["context"]["action"]["identifier"] == "create_service"
    before, after = event["diff"]["before"], event["diff"]["after"]
    assert (before["status"], after["status"]) == ("IN_PROGRESS", "FAILURE")
    assert before["id"] == after["id"] == run["id"]
    assert after["blueprint"]["identifier"] == "service"


def test_templates_see_no_id_of_an_entitys_event(catalogue: Port) -> None:
    automate(catalogue, "made", of_entity("ENTITY_CREATED"), kafka({"keys": "{{ .event | keys }}"}))
    add_service(catalogue, "a")
    assert others(catalogue) == [
        {"keys": ["action", "context", "diff", "resourceType", "trigger"]},
    ]


def test_an_automation_has_runs_of_its_own(catalogue: Port) -> None:
    automate(catalogue, "created", of_run("RUN_CREATED"), kafka({"own": "{{ .run.id }}"}))
    execute(catalogue)
    (run,) = catalogue.call("GET", "/actions/runs", source="AUTOMATION")["runs"]
    assert others(catalogue) == [{"own": run["id"]}]
    assert (run["action"]["identifier"], run["status"]) == ("created", "IN_PROGRESS")


def test_log_lines_fire_nothing(catalogue: Port) -> None:
    automate(catalogue, "any", of_run("ANY_RUN_CHANGE"), kafka({"s": "{{ .event.action }}"}))
    run = execute(catalogue)
    body = {"message": "done", "terminationStatus": "FAILURE"}
    catalogue.call("POST", f"/actions/runs/{run['id']}/logs", body, 201)
    assert others(catalogue) == [{"s": "CREATE"}]


def test_approvals_fire(catalogue: Port) -> None:
    body = {**CREATE_SERVICE, "requiredApproval": True}
    catalogue.call("PUT", "/actions/create_service", body)
    payload = {
        "status": "{{ .event.diff.after.status }}",
        "why": "{{ .event.diff.after.approval.description }}",
    }
    automate(catalogue, "decided", of_run("RUN_UPDATED"), kafka(payload))
    run = execute(catalogue)
    decision = {"status": "DECLINE", "description": "too big"}
    catalogue.call("PATCH", f"/actions/runs/{run['id']}/approval", decision, 201)
    assert others(catalogue) == [{"status": "DECLINED", "why": "too big"}]


def test_an_automation_that_is_not_published_rests(catalogue: Port) -> None:
    automate(catalogue, "off", of_run("RUN_CREATED"), kafka({}), publish=False)
    execute(catalogue)
    assert others(catalogue) == []


def test_a_run_of_another_action_fires_nothing(catalogue: Port) -> None:
    event = {"type": "RUN_CREATED", "actionIdentifier": "upscale_service"}
    automate(catalogue, "other", event, kafka({}))
    execute(catalogue)
    assert others(catalogue) == []


def test_changes_of_entities_fire_with_the_keys_of_automations(catalogue: Port) -> None:
    payload = {"context": "{{ .event.context }}", "resource": "{{ .event.resourceType }}"}
    automate(
        catalogue,
        "scaled",
        of_entity("ENTITY_UPDATED"),
        kafka(payload),
        [".diff.after.properties.replicas > .diff.before.properties.replicas", ".x.y.z | error"],
        combinator="or",
    )
    add_service(catalogue, "a")
    path = "/blueprints/service/entities/a"
    catalogue.call("PATCH", path, {"properties": {"replicas": 3}})
    catalogue.call("PATCH", path, {"properties": {"replicas": 2}})
    context = {
        "blueprintIdentifier": "service",
        "entityIdentifier": "a",
        "propertyIdentifier": None,
    }
    assert others(catalogue) == [{"context": context, "resource": "entity"}]


def test_automation_writes_entities_that_fire_other_automations(catalogue: Port) -> None:
    mapping = {
        "identifier": "{{ .event.diff.after.identifier }}",
        "properties": {"environment": "Production"},
    }
    method = {"type": "UPSERT_ENTITY", "blueprintIdentifier": "service", "mapping": mapping}
    automate(catalogue, "promote", of_entity("ENTITY_CREATED"), method)
    automate(catalogue, "tell", of_entity("ENTITY_UPDATED"), kafka({"told": True}))
    add_service(catalogue, "a")
    entity = catalogue.call("GET", "/blueprints/service/entities/a")["entity"]
    assert entity["properties"]["environment"] == "Production"
    assert others(catalogue) == [{"told": True}]
    runs = catalogue.call("GET", "/actions/runs", action="promote")["runs"]
    assert [run["status"] for run in runs] == ["SUCCESS"]


def test_failing_template_ends_only_the_automation_run(catalogue: Port) -> None:
    automate(catalogue, "bad", of_run("RUN_CREATED"), kafka({"x": "{{ .run.id.x }}"}))
    execute(catalogue)
    (run,) = catalogue.call("GET", "/actions/runs", action="bad")["runs"]
    assert run["status"] == "FAILURE"
    (line,) = catalogue.call("GET", f"/actions/runs/{run['id']}/logs")["runLogs"]
    assert "jq" in line["message"]


def test_a_circle_of_automations_comes_to_an_end(catalogue: Port) -> None:
    mapping = {"identifier": "{{ .event.diff.after.identifier }}", "properties": {"owner": "loop"}}
    method = {"type": "UPSERT_ENTITY", "blueprintIdentifier": "service", "mapping": mapping}
    automate(catalogue, "circle", of_entity("ANY_ENTITY_CHANGE"), method)
    add_service(catalogue, "a")
    runs = catalogue.call("GET", "/actions/runs", action="circle")["runs"]
    assert 1 < len(runs) <= 10
