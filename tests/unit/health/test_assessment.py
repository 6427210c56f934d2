from typing import Any

import pytest
from pydantic import ValidationError
from slipway.health.assessment import Assessment, Window, assess, not_probed, read_settings
from slipway.health.finding import Expectation, Finding, JsonPath

STATES: dict[str, Any] = {"w": "healthy", "i": "unhealthy", "u": "unknown"}
WINDOW = Window(probes=5, healthy_after=2, unhealthy_after=3)


def findings(row: str) -> list[Finding]:
    return [Finding(state=STATES[letter], kind="x", sentence="x") for letter in row]


@pytest.mark.parametrize(
    ("row", "verdict"),
    [
        ("", "Undecided"),
        ("w", "Undecided"),
        ("ww", "Healthy"),
        ("ii", "Undecided"),
        ("iii", "Unhealthy"),
        ("iiww", "Healthy"),
        ("wiiw", "Undecided"),
        ("wiwi", "Undecided"),
        ("wiwiw", "Unhealthy"),
        ("wuwuw", "Undecided"),
        ("uuuuu", "Undecided"),
        ("wiii", "Unhealthy"),
        ("wiiwww", "Healthy"),
        ("uuuuuww", "Undecided"),
    ],
)
def test_verdict_follows_from_the_window_of_findings(row: str, verdict: Assessment) -> None:
    assert assess(findings(row), WINDOW) == verdict


def test_verdict_stays_when_more_findings_follow() -> None:
    assert assess(findings("wwiii"), WINDOW) == "Healthy"
    assert assess(findings("iiiww"), WINDOW) == "Unhealthy"


@pytest.mark.parametrize(
    "wrong",
    [
        {"probes": 0},
        {"probes": 61},
        {"probes": 2, "unhealthy_after": 3},
        {"probes": 2, "healthy_after": 3, "unhealthy_after": 1},
        {"interval_seconds": 0},
        {"healthy_after": 0},
        {"jitter": 1},
    ],
)
def test_window_refuses_impossible_values(wrong: dict[str, int]) -> None:
    with pytest.raises(ValidationError):
        Window.model_validate(wrong)


def test_health_settings_read_every_property() -> None:
    settings = read_settings(
        {
            "health_expected_status": 204.0,
            "health_json_path": "a.b[0].c",
            "health_json_value": "ok",
        },
        " https://my-service.example/health ",
    )

    assert settings.url == "https://my-service.example/health"
    assert settings.expectation == Expectation(204, JsonPath("a.b[0].c"), "ok")
    assert settings.notes == ()


@pytest.mark.parametrize("url", [None, "", "  ", 42, ["http://a.example"], {}])
def test_finding_is_unknown_without_a_health_url(url: object) -> None:
    settings = read_settings({}, url)

    assert settings.url is None
    finding = not_probed(settings)
    assert finding.state == "unknown"
    assert "no health URL" in finding.sentence


@pytest.mark.parametrize(
    "status",
    [
        True,
        "200",
        100,
        199,
        302,
        600,
        -200,
        200.5,
        float("nan"),
        float("inf"),
        pytest.param(10**5000, id="huge"),
        [200],
        {},
        "x" * 10_000,
        "\x1b",
    ],
)
def test_invalid_expected_status_accepts_any_2xx_with_a_note(status: object) -> None:
    settings = read_settings({"health_expected_status": status}, "http://a.example")

    assert settings.expectation.status is None
    (note,) = settings.notes
    assert "any 2xx counts" in note
    assert len(note) < 300
    assert note.isprintable()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a[*]", "ok"),
        ("a" * 201, "ok"),
        (42, "ok"),
        ({}, "ok"),
        ("a", None),
        ("a", ""),
        ("a", {}),
        ("a", "x" * 201),
        pytest.param("a", 10**5000, id="huge"),
        ("a", float("nan")),
        (None, "ok"),
        ("", "ok"),
    ],
)
def test_invalid_json_path_or_value_ignores_the_body_with_a_note(
    path: object, value: object
) -> None:
    settings = read_settings(
        {"health_json_path": path, "health_json_value": value}, "http://a.example"
    )

    assert settings.expectation == Expectation()
    (note,) = settings.notes
    assert "ignored" in note
    assert len(note) < 400


@pytest.mark.parametrize(("value", "text"), [(True, "true"), (2, "2"), (1.5, "1.5")])
def test_json_value_is_read_as_json_when_it_is_not_text(value: object, text: str) -> None:
    settings = read_settings(
        {"health_json_path": "a", "health_json_value": value}, "http://a.example"
    )

    assert settings.expectation.json_value == text
