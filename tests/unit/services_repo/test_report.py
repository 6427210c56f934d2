"""Reports as a job makes them: over HTTP, from the event to the run's last status."""

import json
from typing import Any

import pytest
import report

from tests.unit.services_repo.world import (
    COMMON,
    FOLDER,
    PORT_DATA,
    RUN_ID,
    SECRET,
    SERVICE,
    World,
    comment,
    entity,
)

pytestmark = pytest.mark.waits

PR_URL = "https://github.test/acme/services/pull/12"


def test_merged_create_fills_in_the_entity_and_ends_the_run(world: World) -> None:
    world.commit("merge-sha")
    world.commit("main")
    world.pending()
    variables = {
        "ARGOCD_APP_URL": "https://argocd.test/{namespace}/{service}",
        "GRAFANA_URL": "https://grafana.test/?var={service}&env={environment}",
        "APPS_CHART_URL": "https://charts.test/{service}",
        "NAMESPACE": "{environment}-{service}",
        "SERVICE_TTL_DAYS": "30",
    }

    status = report.main(world.closed(world.pull(), **variables))

    assert status == 0
    assert world.entities[SERVICE]["properties"] == {
        "owner": "dev@acme.example",
        "responsible_team": "payments",
        "project": "shop",
        "environment": "Test",
        "service_type": "backend",
        "namespace": f"test-{SERVICE}",
        "apps_chart_url": f"https://charts.test/{SERVICE}",
        "argocd_app_url": f"https://argocd.test/test-{SERVICE}/{SERVICE}",
        "grafana_url": f"https://grafana.test/?var={SERVICE}&env=test",
        "health_url": f"http://127.0.0.1:3300/services/{SERVICE}/health",
        "ttl": 30,
        "replicas": 2,
        "image_tag": "1.4.0",
        "pr_url": PR_URL,
        "health_status": "Progressing",
        "sync_status": "OutOfSync",
    }
    assert world.entity_writes[0][1] == RUN_ID
    assert world.run["status"] == "SUCCESS"
    assert world.run["link"] == [PR_URL]
    assert world.logs == [world.run["summary"]]
    assert "#12 was merged by octocat" in world.run["summary"]


def test_entity_comes_before_the_log_and_the_status_last(world: World) -> None:
    world.commit("merge-sha")
    world.commit("main")

    report.main(world.closed(world.pull()))

    writes = [
        call.split("?")[0].rsplit("/", 1)[-1]
        for call in world.calls
        if not call.startswith("GET") and "auth" not in call
    ]
    assert writes == ["entities", "logs", RUN_ID]


def test_links_that_are_there_stay(world: World) -> None:
    world.commit("merge-sha")
    world.commit("main")
    world.run["link"] = ["https://logs.test"]

    report.main(world.closed(world.pull()))

    assert world.run["link"] == ["https://logs.test", PR_URL]


def test_second_report_changes_nothing(world: World) -> None:
    world.commit("merge-sha")
    world.commit("main")
    job = world.closed(world.pull())
    report.main(job)
    writes, logs, run = len(world.entity_writes), list(world.logs), dict(world.run)

    assert report.main(job) == 0
    assert (len(world.entity_writes), world.logs, world.run) == (writes, logs, run)


def test_service_that_is_already_healthy_is_not_set_back(world: World) -> None:
    world.commit("merge-sha")
    world.commit("main")
    world.pending(health_status="Healthy", sync_status="Synced")

    report.main(world.closed(world.pull()))

    properties = world.entities[SERVICE]["properties"]
    assert (properties["health_status"], properties["sync_status"]) == ("Healthy", "Synced")
    assert properties["namespace"] == SERVICE


def test_run_that_ended_before_is_left_alone_but_the_entity_is_written(world: World) -> None:
    world.commit("merge-sha")
    world.commit("main")
    world.run["status"] = "FAILURE"

    assert report.main(world.closed(world.pull())) == 0
    assert world.entity_writes[0][1] is None
    assert world.run["status"] == "FAILURE"
    assert world.logs == []


def test_run_that_ends_in_between_does_not_stop_the_report(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.commit("merge-sha")
    world.commit("main")
    # Given that Port shows the run as open, but has ended it when the entity is written.
    original = world.respond

    def respond(method: str, target: str, token: str, body: Any) -> tuple[int, Any]:
        given = original(method, target, token, body)
        if "/actions/runs/" in target and method == "GET":
            given = (given[0], json.loads(json.dumps(given[1])))
            world.run["status"] = "FAILURE"
        return given

    monkeypatch.setattr(world, "respond", respond)

    assert report.main(world.closed(world.pull())) == 0
    assert world.entities[SERVICE]["properties"]["health_status"] == "Progressing"
    assert world.run["status"] == "FAILURE"


def test_yaml_values_are_read(world: World) -> None:
    world.commit("merge-sha")
    world.commit("main")
    del world.files["main", f"{FOLDER}/common_values.json"]
    text = "# typed\nlog:\n  level: info\nimage:\n  tag: 1.4.0\nreplicas: 5 # more\n"
    world.files["main", f"{FOLDER}/common_values.yaml"] = text

    report.main(world.closed(world.pull()))

    properties = world.entities[SERVICE]["properties"]
    assert (properties["replicas"], properties["image_tag"]) == (5, "1.4.0")


def test_late_report_of_a_create_takes_the_values_of_now(world: World) -> None:
    world.commit("merge-sha")
    world.commit("main", {**COMMON, "replicas": 7})

    report.main(world.closed(world.pull()))

    assert world.entities[SERVICE]["properties"]["replicas"] == 7


def test_late_report_of_a_create_does_not_bring_back_a_deleted_service(world: World) -> None:
    world.commit("merge-sha")

    assert report.main(world.closed(world.pull())) == 0
    assert world.entities == {}
    assert world.run["status"] == "SUCCESS"


def test_closed_create_removes_the_pending_entity_and_says_who_closed_it(world: World) -> None:
    world.commit("head-sha")
    world.pending()

    assert report.main(world.closed(world.pull(merged=False))) == 0
    assert world.entities == {}
    assert world.run["status"] == "FAILURE"
    assert "closed without a merge by octocat" in world.run["summary"]


@pytest.mark.parametrize(
    "properties",
    [
        {"health_status": "Healthy"},
        {"pr_url": "https://github.test/acme/services/pull/11"},
        {"pr_url": None},
    ],
)
def test_closed_create_keeps_an_entity_that_is_not_its_pending_one(
    world: World, properties: dict[str, Any]
) -> None:
    world.commit("head-sha")
    world.pending(**properties)

    report.main(world.closed(world.pull(merged=False)))

    assert SERVICE in world.entities
    assert world.run["status"] == "FAILURE"


def test_closed_create_without_entity_only_ends_the_run(world: World) -> None:
    assert report.main(world.closed(world.pull(merged=False))) == 0
    assert world.run["status"] == "FAILURE"


def test_closed_create_says_the_same_when_its_entity_was_removed_before(world: World) -> None:
    world.commit("head-sha")
    world.pending()
    job = world.closed(world.pull(merged=False))
    report.main(job)
    first = world.run["summary"]
    # Cut off before the run was ended.
    world.run["status"] = "IN_PROGRESS"

    report.main(job)

    assert world.run["summary"] == first


@pytest.mark.parametrize("action", ["upscale_service", "downscale_service"])
def test_merged_scaling_sets_replicas_and_nothing_else(world: World, action: str) -> None:
    report.main(world.closed(world.day_2(action)))

    assert world.entity_writes == [({"identifier": SERVICE, "properties": {"replicas": 3}}, RUN_ID)]
    assert world.run["status"] == "SUCCESS"


def test_scaling_whose_figure_cannot_be_read_says_so(world: World) -> None:
    pull = world.day_2("upscale_service")
    world.files["main", f"{FOLDER}/common_values.json"] = '{"replicas": "{{ many }}"}'

    report.main(world.closed(pull))

    assert world.entities[SERVICE]["properties"]["replicas"] == 2
    assert world.run["status"] == "SUCCESS"
    assert "cannot be read" in world.run["summary"]


def test_scaling_of_a_service_that_port_does_not_have_makes_none(world: World) -> None:
    pull = world.day_2("upscale_service")
    world.entities.clear()

    assert report.main(world.closed(pull)) == 0
    assert world.entities == {}
    assert "no entity" in world.run["summary"]


def test_merged_action_of_another_kind_writes_what_the_base_branch_says(world: World) -> None:
    pull = world.day_2("hand_over_service")
    world.commit("main", port_data={**PORT_DATA, "owner": "next@acme.example"})
    world.entities[SERVICE]["properties"] |= {
        name: PORT_DATA[name] for name in ("responsible_team", "project", "environment")
    }

    assert report.main(world.closed(pull)) == 0
    ((body, run_id),) = world.entity_writes
    changed = {"owner": "next@acme.example", "service_type": "backend", "image_tag": "1.4.0"}
    assert (body["properties"], run_id) == (changed, RUN_ID)
    assert world.run["status"] == "SUCCESS"


@pytest.mark.parametrize("missing", ["entity", "service"])
def test_merged_action_of_another_kind_makes_no_entity(world: World, missing: str) -> None:
    pull = world.day_2("hand_over_service")
    if missing == "entity":
        world.entities.clear()
    else:
        del world.files["main", f"{FOLDER}/portData.json"]

    assert report.main(world.closed(pull)) == 0
    assert world.entity_writes == []
    assert world.run["status"] == "SUCCESS"


@pytest.mark.parametrize(
    "action", ["upscale_service", "downscale_service", "delete_service", "hand_over_service"]
)
def test_closed_day_2_changes_no_entity(world: World, action: str) -> None:
    pull = world.day_2(action, merged=False)
    world.commit("head-sha", port_data={**PORT_DATA, "run_id": "r_created"})

    assert report.main(world.closed(pull)) == 0
    assert world.entity_writes == []
    assert SERVICE in world.entities
    assert world.run["status"] == "FAILURE"


@pytest.mark.parametrize("compared", ["identical", "behind", None])
def test_given_a_base_branch_as_before_the_merge_when_reported_then_the_merge_counts(
    world: World, compared: str | None
) -> None:
    # Given a merged create, and a GitHub that does not show the folder on the branch yet
    pull = world.pull()
    world.commit("merge-sha")
    world.compared = compared

    # When it is reported
    assert report.main(world.closed(pull)) == 0

    # Then the entity is filled in all the same
    ((body, _),) = world.entity_writes
    assert body["properties"]["health_status"] == "Progressing"


def test_given_the_folder_is_still_shown_when_a_merged_delete_is_reported_then_it_is_removed(
    world: World,
) -> None:
    pull = world.day_2("delete_service")
    world.commit("main")
    world.compared = "behind"

    assert report.main(world.closed(pull)) == 0
    assert world.entities == {}


def test_merged_delete_removes_the_entity(world: World) -> None:
    assert report.main(world.closed(world.day_2("delete_service"))) == 0
    assert world.entities == {}
    assert world.run["status"] == "SUCCESS"


def test_merged_delete_reported_twice_is_fine(world: World) -> None:
    job = world.closed(world.day_2("delete_service"))
    report.main(job)

    assert report.main(job) == 0


def test_delete_with_dependents_sets_missing_and_names_them(world: World) -> None:
    pull = world.day_2("delete_service")
    world.dependents = ["checkout", "basket"]

    assert report.main(world.closed(pull)) == 0
    assert world.entities[SERVICE]["properties"]["health_status"] == "Missing"
    assert world.run["status"] == "FAILURE"
    assert "route/checkout, route/basket" in world.run["summary"]


def test_delete_can_be_reported_again_when_the_dependents_are_gone(world: World) -> None:
    job = world.closed(world.day_2("delete_service"))
    world.dependents = ["checkout"]
    report.main(job)
    world.dependents = []

    assert report.main(job) == 0
    assert world.entities == {}
    assert world.run["status"] == "FAILURE"


def test_delete_whose_folder_is_still_there_is_not_reported(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    pull = world.day_2("delete_service")
    world.commit("merge-sha", port_data={**PORT_DATA, "run_id": "r_created"})

    assert report.main(world.closed(pull)) == 1
    assert SERVICE in world.entities
    assert "is still there" in capsys.readouterr().out


def test_delete_of_a_service_that_was_made_again_keeps_the_entity(world: World) -> None:
    pull = world.day_2("delete_service")
    world.commit("main", port_data={**PORT_DATA, "run_id": "r_second"})

    assert report.main(world.closed(pull)) == 0
    assert SERVICE in world.entities


CONTRADICTIONS: dict[str, dict[str, Any]] = {
    "another service in the comment": {"body": comment(identifier="other")},
    "another run in the comment": {"body": comment(run_id="r_other")},
    "another action in the comment": {"body": comment(action="delete_service")},
    "a path for a service": {"body": comment(identifier="../../etc")},
    "two comments": {"body": comment() + comment(identifier="other")},
    "a broken comment": {"body": "<!-- slipway {} oops -->"},
}


@pytest.mark.parametrize("changes", CONTRADICTIONS.values(), ids=CONTRADICTIONS.keys())
def test_contradiction_fails_the_job_and_reports_nothing(
    world: World, changes: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    world.commit("merge-sha")
    world.commit("main")

    assert report.main(world.closed(world.pull(**changes))) == 1
    assert world.entity_writes == []
    assert world.run["status"] == "IN_PROGRESS"
    assert world.logs == []
    out = capsys.readouterr().out
    assert out.startswith("::error title=Slipway report::")
    assert "Nothing was reported" in out


@pytest.mark.parametrize(
    "change",
    [{"identifier": "other"}, {"run_id": "r_other"}, {"blueprint": "cluster"}],
)
def test_port_data_that_contradicts_is_not_reported(world: World, change: dict[str, str]) -> None:
    for ref in ("merge-sha", "main"):
        world.commit(ref, port_data={**PORT_DATA, **change})

    assert report.main(world.closed(world.pull())) == 1
    assert world.entity_writes == []


def test_port_run_of_another_action_is_not_reported(world: World) -> None:
    world.commit("merge-sha")
    world.run["action"] = {"identifier": "delete_service"}

    assert report.main(world.closed(world.pull())) == 1
    assert world.run["status"] == "IN_PROGRESS"


def test_merged_create_without_port_data_is_not_reported(world: World) -> None:
    assert report.main(world.closed(world.pull())) == 1
    assert world.entity_writes == []


def test_removed_comment_is_no_contradiction(world: World) -> None:
    world.commit("merge-sha")
    world.commit("main")

    assert report.main(world.closed(world.pull(body=None))) == 0
    assert world.run["status"] == "SUCCESS"


def test_pull_request_of_a_fork_is_refused(world: World) -> None:
    pull = world.pull()
    pull["head"]["repo"] = {"full_name": "stranger/services"}

    assert report.main(world.closed(pull)) == 1
    assert world.calls == []


def test_person_reports_again_by_number(world: World) -> None:
    world.commit("head-sha")
    world.pending()
    world.pull(merged=False)

    assert report.main(world.job({"inputs": {"pull_request": " #12 "}})) == 0
    assert "by closer" in world.run["summary"]


@pytest.mark.parametrize("number", ["", "abc", "12; rm -rf /", "99"])
def test_number_of_no_pull_request_fails_the_job(world: World, number: str) -> None:
    assert report.main(world.job({"inputs": {"pull_request": number}})) == 1


def test_open_pull_request_is_not_reported(world: World) -> None:
    world.pull(state="open", merged=False)

    assert report.main(world.job({"inputs": {"pull_request": "12"}})) == 1


def test_pull_request_into_another_branch_is_not_reported(world: World) -> None:
    world.pull()
    job = world.job({"inputs": {"pull_request": "12"}}, GITHUB_REF_NAME="develop")

    assert report.main(job) == 1


def test_expired_token_is_renewed_once(world: World) -> None:
    world.commit("merge-sha")
    world.commit("main")
    world.faults = [("POST /port/v1/blueprints", 401, {})]

    assert report.main(world.closed(world.pull())) == 0
    assert sum("auth/access_token" in call for call in world.calls) == 2


def test_wrong_credentials_say_what_to_set_and_never_show_them(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.secret = "rotated"

    assert report.main(world.closed(world.pull())) == 1
    out = capsys.readouterr().out
    assert "PORT_CLIENT_SECRET" in out
    assert SECRET not in out


def test_missing_secret_is_named(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert report.main(world.closed(world.pull(), PORT_CLIENT_ID="")) == 1
    assert "PORT_CLIENT_ID is empty" in capsys.readouterr().out


def test_passing_failures_are_repeated_as_told(world: World, waits: list[float]) -> None:
    world.commit("merge-sha")
    world.commit("main")
    world.faults = [
        ("GET /port/v1/actions/runs", 429, {"x-ratelimit-reset": "7"}),
        ("GET /port/v1/actions/runs", 503, {"Retry-After": "3"}),
        ("GET /port/v1/actions/runs", 502, {}),
    ]

    assert report.main(world.closed(world.pull())) == 0
    assert waits == [7.0, 3.0, 8.0]
    assert world.run["status"] == "SUCCESS"


def test_port_that_stays_away_fails_the_job_with_what_to_do(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.faults = [("GET /port/v1/actions/runs", 503, {"Retry-After": "3600"})]

    assert report.main(world.closed(world.pull())) == 1
    assert "re-run this job" in capsys.readouterr().out
    assert world.run["status"] == "IN_PROGRESS"


def test_unreachable_port_fails_the_job_within_the_patience(
    world: World, waits: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    job = world.closed(world.pull(), PORT_BASE_URL="http://127.0.0.1:9")

    assert report.main(job) == 1
    assert 0 < sum(waits) <= 300
    assert "re-run this job" in capsys.readouterr().out


@pytest.mark.parametrize(
    "call", ["GET /port/v1/actions/runs", "DELETE /port/v1/blueprints", "POST /port/v1/auth"]
)
def test_404_that_is_not_ports_fails_the_job(
    world: World, capsys: pytest.CaptureFixture[str], call: str
) -> None:
    world.pending(pr_url=PR_URL)
    world.faults = [(call, 404, {})]

    assert report.main(world.closed(world.pull(merged=False))) == 1

    said = capsys.readouterr().out
    assert "404" in said
    assert "Port does not know" not in said
    assert ("PORT_BASE_URL" in said) == call.endswith("auth")


def test_base_url_may_end_with_the_version(world: World) -> None:
    world.commit("merge-sha")
    world.commit("main")

    assert report.main(world.closed(world.pull(), PORT_BASE_URL=f"{world.url}/port/v1/")) == 0


def test_redirect_does_not_take_the_token_along(world: World) -> None:
    world.faults = [("GET /port/v1/actions", 302, {"Location": f"{world.url}/stolen"})]

    assert report.main(world.closed(world.pull())) == 1
    assert not any("stolen" in call for call in world.calls)


def test_text_of_others_is_no_workflow_command(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.pending()
    pull = world.pull(merged=False)
    event = {"pull_request": pull, "sender": {"login": "x\n::set-env name=PATH::/evil"}}

    report.main(world.job(event))

    lines = capsys.readouterr().out.splitlines()
    assert lines
    assert not any(line.startswith("::set-env") for line in lines)


def test_placeholder_that_nobody_knows_is_named(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.commit("merge-sha")
    world.commit("main")

    assert report.main(world.closed(world.pull(), GRAFANA_URL="https://g.test/{team}")) == 1
    out = capsys.readouterr().out
    assert "GRAFANA_URL" in out
    assert "{team}" in out
    assert world.run["status"] == "IN_PROGRESS"


def test_entity_without_health_counts_as_pending(world: World) -> None:
    world.commit("merge-sha")
    world.commit("main")
    world.entities[SERVICE] = entity(health_status=None, sync_status=None)

    report.main(world.closed(world.pull()))

    properties = world.entities[SERVICE]["properties"]
    assert (properties["health_status"], properties["sync_status"]) == ("Progressing", "OutOfSync")


def test_pull_request_of_a_workflow_node_is_left_to_slipway(world: World) -> None:
    pull = world.pull()
    pull["head"]["ref"] = "slipway/create_service/wfnr_0123456789abcdef"

    assert report.main(world.closed(pull)) == 0

    assert world.writes() == []
