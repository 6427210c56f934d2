import json

import pytest
from slipway.errors import UserError
from slipway.health.finding import (
    Answered,
    Expectation,
    Failed,
    FailureKind,
    JsonPath,
    evaluate,
    matches,
    same_scalar,
    shown,
)

DOCUMENT = {"status": "ok", "a": {"b": [{"c": 1}, {"c": True}]}, "up-time": {"seconds": 2.0}}


def answered(document: object, status: int = 200) -> Answered:
    return Answered(status, json.dumps(document).encode())


@pytest.mark.parametrize("status", [200, 204, 299])
def test_any_2xx_is_healthy_by_default(status: int) -> None:
    assert evaluate(Answered(status, b""), Expectation()).state == "healthy"


@pytest.mark.parametrize("status", [199, 404, 500, 503])
def test_other_statuses_are_unhealthy_by_default(status: int) -> None:
    finding = evaluate(Answered(status, b"down\nfor <b>lunch</b>"), Expectation())

    assert (finding.state, finding.kind) == ("unhealthy", "status")
    assert f"answered {status}, not a 2xx" in finding.sentence
    assert "Answer: down for <b>lunch</b>" in finding.sentence


def test_only_the_expected_status_is_healthy() -> None:
    expectation = Expectation(status=401)

    assert evaluate(Answered(401, b""), expectation).state == "healthy"
    assert (
        evaluate(Answered(200, b""), expectation).sentence
        == "The health URL answered 200, not 401."
    )


@pytest.mark.parametrize("kind", FailureKind)
def test_failed_probe_is_unhealthy_unless_its_url_was_refused(
    kind: FailureKind,
) -> None:
    finding = evaluate(Failed(kind, "Why."), Expectation())

    assert finding.state == ("unknown" if kind is FailureKind.REFUSED_URL else "unhealthy")
    assert (finding.kind, finding.sentence) == (kind.value, "Why.")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("status", "ok"),
        ("a.b[0].c", "1"),
        ("a.b[0].c", "1.0"),
        ("a.b[-1].c", "true"),
        ('"up-time".seconds', "2"),
        ("a.nothing", "null"),
        ("status[7]", "null"),
    ],
)
def test_json_value_at_its_path_is_healthy(path: str, value: str) -> None:
    expectation = Expectation(json_path=JsonPath(path), json_value=value)

    assert evaluate(answered(DOCUMENT), expectation).state == "healthy"


@pytest.mark.parametrize(
    ("path", "value", "why"),
    [
        ("status", "OK", "'status' is \"ok\", not OK"),
        ("a.b[1].c", "1", "is true, not 1"),
        ("a.b[0].c", "true", "is 1, not true"),
        ("a.b", "[]", "not []"),
        ("a.nothing", "ok", "is null, not ok"),
    ],
)
def test_other_json_value_is_unhealthy(path: str, value: str, why: str) -> None:
    finding = evaluate(answered(DOCUMENT), Expectation(json_path=JsonPath(path), json_value=value))

    assert (finding.state, finding.kind) == ("unhealthy", "json")
    assert why in finding.sentence


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "not JSON"),
        (b"OK", "not JSON"),
        (b"\xff\xfe{}", "not UTF-8"),
        (b"NaN", "not JSON"),
        (b"9" * 5000, "not JSON"),
        (b"[" * 60_000, "not JSON"),
        (b'{"a":' * 10_000, "not JSON"),
        (b'{"status": "ok"} trailing', "not JSON"),
    ],
)
def test_body_that_is_not_json_is_unhealthy(body: bytes, why: str) -> None:
    expectation = Expectation(json_path=JsonPath("status"), json_value="ok")

    assert why in evaluate(Answered(200, body), expectation).sentence


def test_finding_reports_the_status_before_the_json_value() -> None:
    expectation = Expectation(json_path=JsonPath("status"), json_value="ok")

    assert evaluate(answered(DOCUMENT, 503), expectation).kind == "status"


def test_finding_of_a_hostile_value_is_short_and_printable() -> None:
    document = {"status": "\x1b[2J\u202e" + "x" * 50_000}

    finding = evaluate(answered(document), Expectation(None, JsonPath("status"), "ok"))

    assert len(finding.sentence) < 300
    assert finding.sentence.isprintable()


@pytest.mark.parametrize(
    "path",
    [
        "",
        " ",
        ".",
        "a.",
        "a..b",
        "a[",
        "a[x]",
        "a[*].b",
        "*.a",
        "a[]",
        "a[?b=='c']",
        "length(@)",
        "@",
        "a|b",
        "a||b",
        "[a, b]",
        "{a: b}",
        "`1`",
        "'x'",
        "a[0:2]",
        "&a",
        "!a",
        "(" * 200,
        "$.a",
        "a" * 201,
        "[@,@][]|" * 20 + "a",
    ],
)
def test_json_path_refuses_other_syntax(path: str) -> None:
    with pytest.raises(UserError):
        JsonPath(path)


@pytest.mark.parametrize(
    ("found", "expected", "equal"),
    [
        ("ok", "ok", True),
        ("1", "1", True),
        (1, "1", True),
        (1.5, "1.5", True),
        (True, "true", True),
        (True, "1", False),
        (1, "true", False),
        (False, "0", False),
        (None, "null", True),
        (None, "", False),
        ({}, "{}", False),
        ([], "[]", False),
        (1, "9" * 5000, False),
        (float("inf"), "Infinity", False),
    ],
)
def test_values_are_compared_by_json_rules(found: object, expected: str, equal: bool) -> None:
    assert matches(found, expected) is equal


def test_containers_are_never_equal_to_a_scalar() -> None:
    assert not same_scalar({}, {})
    assert not same_scalar([1], 1)
    assert same_scalar(2, 2.0)


def test_untrusted_text_is_one_short_line() -> None:
    assert shown("a\r\n\tb\x00c") == "a b c"
    assert len(shown("x" * 10_000)) == 121
