import html
import re
from datetime import timedelta
from typing import Any

import pytest
from slipway.health.finding import Finding
from slipway.health.report import (
    entity_properties,
    issue_body,
    issue_title,
    timeline_lines,
    timeline_markdown,
)
from slipway.health.state import (
    CoolDown,
    Escalate,
    Healthy,
    Leave,
    Off,
    Probe,
    Step,
    Unknown,
)

from tests.unit.health.story import BEGIN, UNHEALTHY, Story, make_policy, make_state

LATER = BEGIN + timedelta(minutes=1)


def ended_badly() -> tuple[Story, Step]:
    story = Story(make_state(), make_policy(), look=lambda _story: UNHEALTHY)
    return story, story.run()


def test_timeline_lists_the_remediation_in_order() -> None:
    story, end = ended_badly()

    lines = timeline_lines(story.state, end, story.now)

    assert lines[0] == "2026-11-23 10:00:00 The service was reported as Degraded."
    assert lines[1].endswith("answered 503, not a 2xx. (2 times until 2026-11-23 10:00:01)")
    assert lines[2].endswith("Slipway restarts the service (attempt 1 of 1).")
    assert lines[3].endswith("Restart carried out. As asked.")
    assert lines[-1].endswith(end.reason)
    assert lines == sorted(lines, key=lambda line: line[:19])


def test_timeline_lists_equal_probes_before_and_after_a_repair() -> None:
    story, end = ended_badly()

    lines = timeline_lines(story.state, end, story.now)

    assert sum("answered 503" in line for line in lines[:-1]) == 4


def test_timeline_has_the_link_in_both_formats() -> None:
    story, _ = ended_badly()
    last = story.state.attempts[-1].model_copy(update={"link": "https://github.test/a/pull/7"})
    state = story.state.model_copy(update={"attempts": (*story.state.attempts[:-1], last)})

    assert any(line.endswith(" https://github.test/a/pull/7") for line in timeline_lines(state))
    assert "[details](https://github.test/a/pull/7)" in timeline_markdown(state)


HOSTILE = (
    "a|b\n\n# x\r<script>alert(1)</script> @everyone acme/other#12 "
    "[l](javascript:1) `c` **b** &amp; \u202e"
)


def test_timeline_markdown_has_one_plain_row_for_each_event() -> None:
    finding = Finding(state="unhealthy", kind="status", sentence=HOSTILE)
    state = make_state(found=HOSTILE).observed(finding, LATER)

    table = timeline_markdown(state)

    rows = table.splitlines()
    assert len(rows) == 4
    assert all(re.fullmatch(r"\|[^|]*\|[^|]*\|", row) for row in rows)
    for row in rows[2:]:
        assert not re.search(r"[<>`\[\]@*_]", row.split("|")[2])
    page = html.unescape(rows[3])
    assert "@everyone" not in page
    assert "other#12" not in page
    assert "\u202e" not in page


def test_timeline_omits_a_link_that_is_not_a_url() -> None:
    story, _ = ended_badly()
    bad = "https://a.test/)[x](javascript:alert(1)"
    last = story.state.attempts[-1].model_copy(update={"link": bad})
    state = story.state.model_copy(update={"attempts": (*story.state.attempts[:-1], last)})

    assert "javascript" not in timeline_markdown(state)


def test_issue_describes_the_problem_and_what_to_do() -> None:
    story, end = ended_badly()

    body = issue_body(
        story.state, end, story.now, "https://app.port.test/serviceEntity?identifier=x"
    )

    assert "<code>my&#45;service</code>" in body
    assert "[The service in Port](https://app.port.test/serviceEntity?identifier=x)" in body
    assert "### What to do" in body
    assert body.rstrip().endswith("-->")
    assert '"kind":"remediation"' in body
    assert issue_title(story.state) == "Service my-service is unhealthy"


def test_issue_keeps_the_whole_of_a_long_reason() -> None:
    reason = "Because. " * 60 + "Pull request #12."
    body = issue_body(make_state(), Escalate(reason=reason, notify=True), LATER, "")

    assert "Pull request #12." in html.unescape(body)


STEPS: list[tuple[Step, dict[str, Any]]] = [
    (Healthy(reason="Well."), {"health_status": "Healthy"}),
    (Healthy(reason="Well.", synced=True), {"health_status": "Healthy", "sync_status": "Synced"}),
    (Unknown(reason="Who knows."), {"health_status": "Unknown"}),
    (Escalate(reason="Ill.", notify=True), {"health_status": "Degraded"}),
    (CoolDown(reason="Ill.", notify=True, until=LATER), {"health_status": "Degraded"}),
    (Probe(step="verify", reason="Looking."), {}),
]


@pytest.mark.parametrize(("step", "state"), STEPS)
def test_each_step_that_is_written_carries_the_check_id(step: Step, state: dict[str, Any]) -> None:
    assert entity_properties(step, "h7", LATER) == {
        **state,
        "last_health_check": "2026-11-23T10:01:00Z",
        "health_detail": step.reason,
        "health_check_id": "h7",
    }


@pytest.mark.parametrize("step", [Off(reason="Off."), Leave(reason="Gone.")])
def test_step_that_leaves_the_service_writes_no_properties(step: Step) -> None:
    assert entity_properties(step, "h7", LATER) == {}


def test_health_detail_is_truncated_and_printable() -> None:
    detail = entity_properties(Unknown(reason="\x1b\n" + "x" * 5000), "h7", LATER)["health_detail"]

    assert len(detail) == 1000
    assert detail.isprintable()
