"""Logs contain no secrets, and metrics appear only where they are read."""

import base64
import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import cast
from urllib.parse import quote, quote_plus, urlencode

import pytest
from slipway.approvals.links import Link, sign
from slipway.observability import Metric, count, logger, mask, register_secret, trace_id

from tests.leaks import leaks

PLANTED = "planted-secret-value-1234567890"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    handler = cast("logging.StreamHandler[io.StringIO]", logger.registered_handler)
    stream = io.StringIO()
    before = handler.setStream(stream)
    yield stream
    handler.setStream(cast("io.StringIO", before))


def test_secret_is_masked_in_every_kind_of_log(log: io.StringIO) -> None:
    register_secret(PLANTED)

    logger.info(f"message {PLANTED}")
    logger.info("extra", extra={"deep": {"list": [PLANTED]}})
    logger.info({"a": PLANTED})
    try:
        raise ValueError(PLANTED)
    except ValueError:
        logger.exception("with a traceback")

    lines = log.getvalue().splitlines()
    assert len(lines) == 4
    assert PLANTED not in log.getvalue()
    assert all("*****" in line for line in lines)
    assert all(json.loads(line) for line in lines)


def test_secret_with_quotes_is_masked_in_json(
    log: io.StringIO,
) -> None:
    awkward = 'quote " backslash \\ newline \n ü end'
    register_secret(awkward)

    logger.info("x", extra={"value": awkward})

    assert "backslash" not in log.getvalue()


@pytest.mark.parametrize(
    "written",
    [
        lambda secret: secret,
        repr,
        lambda secret: repr({"inputs": {"password": secret}}),
        lambda secret: json.dumps({"password": secret}),
        lambda secret: json.dumps({"body": json.dumps({"password": secret})}),
        lambda secret: quote(secret, safe=""),
        lambda secret: base64.b64encode(secret.encode()).decode(),
    ],
    ids=["text", "repr", "inputs", "JSON", "JSON in JSON", "address", "base64"],
)
def test_multiline_secret_is_masked_in_every_form(
    log: io.StringIO, written: Callable[[str], str]
) -> None:
    secret = 'planted-line-one\nplanted "line" two ü\\end'
    register_secret(secret)

    logger.info(written(secret), extra={"also": written(secret)})
    try:
        raise ValueError(written(secret))
    except ValueError:
        logger.exception("failed")

    lines = log.getvalue().splitlines()
    assert [json.loads(line)["level"] for line in lines] == ["INFO", "ERROR"]
    assert "planted" not in log.getvalue()
    assert base64.b64encode(secret.encode()).decode() not in log.getvalue()


def test_secret_in_the_cause_of_an_error_is_masked(
    log: io.StringIO,
) -> None:
    register_secret(PLANTED)

    try:
        try:
            raise KeyError(PLANTED)
        except KeyError as error:
            raise RuntimeError("outer") from error
    except RuntimeError:
        logger.exception("failed")

    assert "*****" in log.getvalue()
    assert PLANTED not in log.getvalue()


def test_empty_secret_masks_nothing() -> None:
    register_secret("")

    assert mask("text") == "text"


@pytest.mark.parametrize(
    "text",
    [
        "ghp_" + "a" * 36,
        "github_pat_" + "A1" * 20,
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
        "IQoJb3JpZ2luX2VjEG0aCWV1LXdlc3QtMiJHMEUC+IQC1/x4=",
        "FwoGZXIvYXdzENH//////////wEaDLtcNupZxgkt6ivKyCLA",
        "AQoDYXdzEJr//////////wEaDLtcNupZxgkt6ivKyCLA",
        "IQoJb3JpZ2luX2VjEND%2F%2F%2F%2FwEaCXVzLXdlc3QtMiJH",
        "ASIAIOSFODNN7EXAMPLE",
        "AKIAIOSFODNN7EXAMPLE",
    ],
)
def test_text_that_looks_like_a_secret_is_masked(text: str) -> None:
    assert mask(f"before {text} after") == "before ***** after"


@pytest.mark.parametrize("quoted", [lambda url: url, lambda url: quote(url, safe="")])
def test_presigned_url_cannot_be_used_when_masked(quoted: Callable[[str], str]) -> None:
    parts = {"X-Amz-Credential": "ASIAIOSFODNN7EXAMPLE/20261123/eu-west-1/s3/aws4_request",
             "X-Amz-Security-Token": "IQoJb3JpZ2luX2VjEG0aCWV1LXdlc3QtMiJHMEUC",
             "X-Amz-Signature": "0123456789abcdef" * 4}  # fmt: skip
    url = f"https://records.s3.amazonaws.com/held.json?X-Amz-Expires=60&{urlencode(parts)}"

    text = mask(quoted(url))

    assert "held.json" in text
    assert "X-Amz-Expires" in text
    assert not any(quoted(quote(value, safe="")) in text for value in parts.values())


def test_approval_link_is_masked() -> None:
    link = Link("r_0123456789abcdef.1", "devops@acme.example", datetime(2026, 11, 23, tzinfo=UTC))
    url = f"https://links.test/live/links/{sign(link, PLANTED)}"

    assert mask(f"GET {url} failed") == "GET https://links.test/live/links/***** failed"


@pytest.mark.parametrize(
    "text",
    [
        "commit 0123456789abcdef0123456789abcdef01234567",
        "arn:aws:states:eu-west-1:123456789012:execution:approval:r_0123456789abcdef",
        "Signature rejected, Signature=missing",
        "slipway/upscale_service/r_0123456789abcdef",
    ],
)
def test_ordinary_identifier_is_not_masked(text: str) -> None:
    assert mask(text) == text


def test_base64_of_a_secret_is_masked() -> None:
    register_secret(PLANTED)

    encoded = base64.b64encode(PLANTED.encode()).decode()

    assert mask(f"x {encoded} y") == "x ***** y"


def test_short_value_does_not_mask_words() -> None:
    register_secret("on")

    assert mask("on and on") == "on and on"


def test_trace_id_is_the_root_of_the_trace_header(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("_X_AMZN_TRACE_ID", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1")
    assert trace_id() == "1-5759e988-bd862e3fe1be46a994272793"

    monkeypatch.delenv("_X_AMZN_TRACE_ID")
    assert trace_id() == "no-trace"


@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
@pytest.mark.parametrize("after", ["", "a", "ab"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode, bytes.hex])
def test_secret_within_an_encoded_text_is_masked(
    before: str, after: str, encode: Callable[[bytes], bytes | str]
) -> None:
    secret = "plänted/secret?value>1234567890~~~"
    register_secret(secret)
    encoded = encode(f"{before}{secret}{after}".encode())

    text = mask(encoded if isinstance(encoded, str) else encoded.decode())

    assert "*****" in text
    assert leaks([text], {"secret": secret}) == []


@pytest.mark.parametrize("written", [quote, quote_plus, lambda text: quote(text).lower()])
def test_secret_in_a_url_or_form_is_masked(
    written: Callable[[str], str],
) -> None:
    secret = "planted/secret value+1&2"
    register_secret(secret)

    assert "secret" not in mask(written(secret))


def test_line_with_a_lone_surrogate_is_logged_and_masked() -> None:
    register_secret(PLANTED)
    handler = cast("logging.StreamHandler[io.TextIOWrapper]", logger.registered_handler)
    written = io.BytesIO()
    stream = io.TextIOWrapper(written, "utf-8", write_through=True)
    before = handler.setStream(stream)

    logger.info(f"odd \ud800 {PLANTED}")

    handler.setStream(cast("io.TextIOWrapper", before))
    assert not stream.closed
    assert json.loads(written.getvalue())["message"] == "odd \ud800 *****"


def test_disabled_metrics_print_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "true")

    count(Metric.API_RETRY, api="port")

    assert capsys.readouterr().out == ""


def test_metrics_are_in_the_namespace_of_the_installation() -> None:
    # Another process, because the namespace is read when the module is imported.
    source = (
        "from slipway.observability import Metric, count, metrics\n"
        "count(Metric.API_RETRY, api='port')\n"
        "count(Metric.RECORD_RECEIVED)\n"
        "metrics.flush_metrics()\n"
    )
    own = {
        "POWERTOOLS_METRICS_DISABLED": "false",
        "POWERTOOLS_METRICS_NAMESPACE": "Slipway/acme",
        "POWERTOOLS_SERVICE_NAME": "approval",
    }
    command = [sys.executable, "-c", source]
    done = subprocess.run(command, env=os.environ | own, capture_output=True, text=True, check=True)

    lines = [json.loads(line) for line in done.stdout.splitlines()]
    found = [line["_aws"]["CloudWatchMetrics"][0]["Namespace"] for line in lines]
    assert found == ["Slipway/acme", "Slipway/acme"]
