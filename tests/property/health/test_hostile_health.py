"""No health data from a catalogue, a topic or a server causes a crash."""

import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_network
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from slipway.errors import UserError
from slipway.health.addresses import ProbeLimits, forbidden, unwrap
from slipway.health.assessment import Window, assess, read_settings
from slipway.health.changes import Change, Skipped, merge, read_change
from slipway.health.finding import (
    Answered,
    Expectation,
    Finding,
    JsonPath,
    evaluate,
    matches,
    shown,
)
from slipway.health.probe import probe
from slipway.health.subscriptions import health_subscription, subscriptions_for

from tests.unit.health.wire import Server, served

pytestmark = pytest.mark.waits

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
KEYS = [
    "action", "resourceType", "context", "entity", "blueprint", "diff", "before", "after",
    "trigger", "at", "status", "identifier", "properties", "updatedAt", "relations", "team",
    "health_status", "health_check_id",
]  # fmt: skip
LEAVES = [
    "UPDATE", "entity", "service", "my-service", "SUCCESS", "2026-11-23T10:00:00Z", "Degraded",
    "h1", "RESYNC", "TIMER_EXPIRED", {}, [],
]  # fmt: skip
# Near misses of real records: the right keys in the wrong places.
records = st.recursive(
    st.sampled_from(LEAVES) | st.none() | st.integers() | st.text(max_size=8),
    lambda inner: st.dictionaries(st.sampled_from(KEYS), inner, max_size=6),
    max_leaves=30,
)
entities = st.fixed_dictionaries(
    {
        "identifier": st.just("my-service"),
        "blueprint": st.just("service"),
        "properties": st.dictionaries(st.sampled_from(KEYS), json_values, max_size=4),
        "updatedAt": st.sampled_from(["2026-11-23T10:00:00Z", "2026-11-23T10:00:01Z"]),
    },
    optional={"title": json_values, "relations": json_values},
)
WINDOWS = st.builds(
    lambda probes, healthy, unhealthy: Window(
        probes=probes, healthy_after=min(healthy, probes), unhealthy_after=min(unhealthy, probes)
    ),
    *(st.integers(1, 8) for _ in range(3)),
)
FINDINGS = st.lists(
    st.sampled_from(["healthy", "unhealthy", "unknown"]).map(
        lambda state: Finding(state=state, kind="x", sentence="x")
    ),
    max_size=12,
)
# Pieces of HTTP, so that random answers get past its first line.
PIECES = [
    b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 302 Found\r\n", b"HTTP/1.0 503 X\r\n", b"HTTP/1.1 100 C\r\n",
    b"\r\n", b"\r\n\r\n", b"\n\n", b"Content-Length: ", b"5\r\n", b"-1\r\n", b"1e9\r\n",
    b"\xff\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Content-Encoding: gzip\r\n", b"Location: http://[\r\n",
    b"hello", b"5\r\nhello\r\n", b"0\r\n\r\n", b"ffffffffffffffffffff\r\n", b"-5\r\n", b"\x00",
    b": \r\n", b" folded\r\n", b"X: =?utf-8?b?//?=\r\n", b"Content-Length: 1\r\n",
]  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with served(b"") as running:
        yield running


@given(pieces=st.lists(st.sampled_from(PIECES) | st.binary(max_size=20), max_size=12))
@example(pieces=[])
@settings(max_examples=150)
def test_probe_has_a_result_for_any_answer(server: Server, pieces: list[bytes]) -> None:
    server.behave = server.answering(b"".join(pieces))

    result = probe(f"http://127.0.0.1:{server.port}/", server.limits(max_body_bytes=1024))
    finding = evaluate(result, Expectation(200, JsonPath("a.b[0]"), "ok"))

    assert finding.sentence.isprintable()
    assert len(finding.sentence) < 600


@given(
    url=st.text()
    | json_values
    | st.builds(
        "".join,
        st.lists(
            st.sampled_from(
                ["http", "https", ":", "//", "/", "@", "[", "]", "127.0.0.1", "::1", "a", ".", "%",
                 "\\", "#", "?", "0", "80", "\t", "é", "localhost", "169.254.169.254"]
            ),
            max_size=10,
        ),
    )
)  # fmt: skip
def test_arbitrary_health_url_reaches_only_allowed_addresses(url: object) -> None:
    asked: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        assert port in {80, 443}
        return ["10.0.0.1"]

    result = probe(url, ProbeLimits(), resolve=resolve)

    assert not isinstance(result, Answered)
    assert result.kind == "refused_url"
    assert result.sentence.isprintable()
    assert len(asked) <= 1


@given(inner=st.ip_addresses(v=4))
def test_ipv4_address_is_judged_alike_in_every_ipv6_form(inner: IPv4Address) -> None:
    forms = [
        IPv6Address(int(IPv6Address(prefix)) | (int(inner) << shift))
        for prefix, shift in (
            ("::ffff:0:0", 0), ("::ffff:0:0:0", 0), ("64:ff9b::", 0), ("2002::", 80),
        )
    ]  # fmt: skip
    verdicts = {forbidden([str(form)], ProbeLimits()) for form in (inner, *forms)}

    assert len(verdicts) == 1
    assert {unwrap(form) for form in forms} == {inner}


@given(address=st.ip_addresses(v=6))
def test_ipv6_address_is_public_only_within_global_unicast(address: IPv6Address) -> None:
    if not forbidden([str(address)], ProbeLimits()):
        assert address in IPv6Network("2000::/3") or unwrap(address) != address


@given(address=st.ip_addresses())
def test_forbidden_addresses_stay_forbidden_when_all_are_allowed(
    address: IPv4Address | IPv6Address,
) -> None:
    everything = ProbeLimits(allowed_cidrs=(ip_network("0.0.0.0/0"), ip_network("::/0")))
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        assert forbidden([str(address)], everything)


@given(body=st.binary() | json_values.map(lambda value: json.dumps(value).encode()), path=st.text())
def test_finding_exists_for_any_body_and_path(body: bytes, path: str) -> None:
    try:
        where = JsonPath(path)
    except UserError:
        where = JsonPath("a[0]")

    finding = evaluate(Answered(200, body), Expectation(None, where, "ok"))

    assert finding.sentence.isprintable()


@given(value=st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text())
def test_json_value_matches_its_written_form(value: object) -> None:
    text = value if isinstance(value, str) else json.dumps(value)

    assert matches(value, text) or (isinstance(value, float) and math.isinf(value))


@given(
    st.dictionaries(
        st.sampled_from(["health_expected_status", "health_json_path", "health_json_value"]),
        json_values,
    ),
    json_values,
)
def test_settings_of_any_entity_are_within_bounds(properties: dict[str, Any], url: Any) -> None:
    read = read_settings(properties, url)

    status = read.expectation.status
    assert status is None or 200 <= status < 300 or 400 <= status < 600
    assert (read.expectation.json_path is None) == (not read.expectation.json_value)
    assert all(len(note) < 400 for note in read.notes)


@given(text=st.text())
def test_untrusted_text_is_shown_as_one_printable_line(text: str) -> None:
    assert shown(text).isprintable()
    assert len(shown(text)) <= 121


@given(findings=FINDINGS, window=WINDOWS)
def test_verdict_does_not_change_after_later_findings(
    findings: list[Finding], window: Window
) -> None:
    verdicts = [assess(findings[:end], window) for end in range(len(findings) + 1)]

    for earlier, later in pairwise(verdicts):
        assert earlier in ("Undecided", later)


@given(value=json_values | records)
def test_any_record_is_a_change_or_skipped(value: object) -> None:
    read = read_change(value)

    assert isinstance(read, Change | Skipped)


@given(before=st.none() | entities, after=entities, data=st.data())
def test_change_is_identified_by_its_content_alone(
    before: dict[str, Any] | None, after: dict[str, Any], data: st.DataObject
) -> None:
    record = {
        "action": "UPDATE",
        "resourceType": "entity",
        "context": {"entity": "my-service", "blueprint": "service"},
        "diff": {"before": before, "after": after},
    }
    read = read_change(json.loads(json.dumps(record)))
    # An equal entity: the order of its properties has no meaning.
    shuffled = data.draw(st.permutations(list(after["properties"].items())))
    record["diff"] = {"before": before, "after": {**after, "properties": dict(shuffled)}}

    assert read_change(json.loads(json.dumps(record))) == read
    if isinstance(read, Change) and before is not None:
        old = before["properties"].get("health_check_id")
        new = after["properties"].get("health_check_id")
        assert read.own is (json.dumps(old, sort_keys=True) != json.dumps(new, sort_keys=True))


@given(
    minutes=st.lists(
        st.tuples(st.integers(0, 59), st.booleans()), min_size=1, max_size=8, unique=True
    ),
    data=st.data(),
)
def test_health_is_checked_in_any_order_of_changes(
    minutes: list[tuple[int, bool]], data: st.DataObject
) -> None:
    changes = [
        Change(
            "service",
            "my-service",
            datetime(2026, 11, 23, 10, minute, int(own), tzinfo=UTC),
            {"health_status": "Degraded", "minute": minute},
            frozenset({"health_check_id" if own else "health_status"}),
            own,
        )
        for minute, own in minutes
    ]
    again = data.draw(st.permutations(changes + changes[:3]))

    ours = {own: [change for change in again if change.own is own] for own in (False, True)}
    table = (health_subscription("remediation", "service"),)
    for own, group in ours.items():
        if group:
            assert isinstance(subscriptions_for(merge(group), table), Skipped) is own
