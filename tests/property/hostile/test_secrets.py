"""Slipway writes no secret anywhere, on success or on failure.

The tests search all output for each planted secret and its encodings: logs, metrics, errors, Port,
pull requests, pages, e-mails, Slack, tables and objects.
"""

import base64
import json
import re
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import boto3
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st
from slipway import config
from slipway.approvals.links import Link, sign
from slipway.observability import MASK, mask
from slipway.runs import clients

from functions.action import handler as action
from functions.approval import handler as approval
from functions.sweep_runs import handler as sweep_runs
from tests.gateway import proxy_event
from tests.leaks import leaks
from tests.property.hostile.conftest import PLANTED, Outside
from tests.property.hostile.test_records import event, record, request
from tests.scripted import NO_ANSWER, ScriptedServer
from tests.unit.conftest import POLICY, set_policy
from tests.unit.github.conftest import DECORATE, LOOK, PROPOSE, data, proposed, refused

pytestmark = pytest.mark.waits

RUN_ID = "r_0123456789abcdef"
QUEUE = "arn:aws:sqs:eu-west-1:123456789012:approvers"
PORT, GITHUB, INPUT = (
    PLANTED[name] for name in ("Port's client secret", "GitHub's token", "secret input")
)


@dataclass
class Written:
    """All output, by its place."""

    outside: Outside
    slack: ScriptedServer
    errors: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    emails: list[str] = field(default_factory=list)

    def call(self, handler: Callable[..., Any], event: dict[str, Any]) -> Any:
        """Invoke a function; log its exception as Lambda does."""
        try:
            answer = self.outside.call(handler, event)
        except Exception:  # noqa: BLE001 - checked below
            self.errors.append(traceback.format_exc())
            return None
        self.answers.append(json.dumps(answer, ensure_ascii=False))
        return answer

    def step(self, name: str, **more: Any) -> Any:
        """Run a step of the approval machine."""
        return self.call(approval.handler, {"step": name, "run_id": RUN_ID, **more})

    def link(self) -> str:
        """Return the newest personal link, as its approver reads it."""
        queue = boto3.client("sqs")
        url = queue.get_queue_url(QueueName="approvers")["QueueUrl"]
        found = queue.receive_message(QueueUrl=url).get("Messages", [])
        self.emails += [message["Body"] for message in found]
        return str(re.findall(r"/links/(\S+)", self.emails[-1])[0])

    def texts(self) -> dict[str, str]:
        """Return all output."""
        outside = self.outside
        signing_in = "POST /v1/auth/access_token"
        return {
            "log": outside.log.getvalue(),
            "errors": "\n".join(self.errors),
            "answers": "\n".join(self.answers),
            "Port": _shown([r.body for r in outside.port.requests if r.route != signing_in]),
            "GitHub": _shown([r.body for r in outside.github.requests]),
            "Slack": _shown([r.body for r in self.slack.requests]),
            "e-mails": "\n".join(self.emails),
            "tables": _shown(_rows()),
            "objects": "\n".join(_objects()),
        }


def _shown(values: list[Any]) -> str:
    return "\n".join(json.dumps(value, ensure_ascii=False, default=str) for value in values)


def _rows() -> list[Any]:
    tables = ("runs", "locks", "idempotency", "approvals")
    return [boto3.resource("dynamodb").Table(name).scan()["Items"] for name in tables]


def _objects() -> Iterator[str]:
    storage = boto3.client("s3")
    for bucket in ("records", "audit"):
        for item in storage.list_objects_v2(Bucket=bucket).get("Contents", []):
            text = storage.get_object(Bucket=bucket, Key=item["Key"])["Body"].read().decode()
            yield text
            if '"value"' in text:
                yield base64.b64decode(json.loads(text)["value"]).decode()


@pytest.fixture
def written(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> Iterator[Written]:
    boto3.client("sqs").create_queue(QueueName="approvers")
    boto3.client("sns").subscribe(
        TopicArn="arn:aws:sns:eu-west-1:123456789012:approvals",
        Protocol="sqs",
        Endpoint=QUEUE,
        Attributes={"RawMessageDelivery": "true"},
    )
    with ScriptedServer().running() as slack:
        place = f"/services/{PLANTED["Slack's webhook"]}"
        # Slack, or a proxy, quotes the address.
        slack.script(f"POST {place}", (200, "ok", {}), (404, {"message": f"no {place}"}, {}))
        secret = json.dumps({"webhook_url": f"{slack.url}{place}"})
        boto3.client("secretsmanager").create_secret(Name="slipway/slack", SecretString=secret)
        monkeypatch.setenv("SLACK_SECRET_ID", "slipway/slack")
        monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "false")
        config.load.cache_clear()
        yield Written(outside, slack)


def encrypted(text: str) -> str:
    """Encrypt a secret input as Port does."""
    iv = bytes(range(16))
    return base64.b64encode(
        iv + AESGCM(PORT.encode()[:32]).encrypt(iv, text.encode(), None)
    ).decode()


def message(run_id: str = RUN_ID, censored: tuple[str, ...] = ("api_key",), **inputs: Any) -> Any:
    """Make a request with a secret input."""
    made = request(run_id, **{"api_key": encrypted(INPUT), **inputs})
    made["payload"]["censoredProperties"] = list(censored)
    return made


def create(written: Written, made: Any) -> Any:
    text = json.dumps(made).encode()
    return written.call(action.handler, event(record(text)))


def creates(written: Written) -> None:
    create(written, message())
    assert written.outside.github.branches()


def types_a_secret_where_all_read_it(written: Written) -> None:
    create(written, message("r_1", censored=("owner",), owner=encrypted(INPUT)))
    create(written, message("r_2", censored=("custom_values",), custom_values=encrypted(INPUT)))
    assert not written.outside.github.branches()


def types_a_secret_that_is_an_object(written: Written) -> None:
    create(written, message(api_key=encrypted(json.dumps({"password": INPUT})), replicas=0))


def is_refused_by_port_which_quotes(written: Written) -> None:
    port = written.outside.port
    quoted = {
        "ok": False,
        "error": "invalid",
        "message": f"{PORT} {_basic(PORT)} {INPUT} port-token",
    }
    port.script("POST /v1/blueprints/service/entities", (422, quoted, {}))
    create(written, message())
    port.script("POST /v1/auth/access_token", (400, quoted, {}))
    clients.port_client.cache_clear()
    create(written, message("r_2"))
    written.call(sweep_runs.handler, {"detail-type": "Scheduled Event"})


def is_refused_by_github_which_quotes(written: Written) -> None:
    quoted = {
        "message": f"Authorization: token {GITHUB} {_basic(GITHUB)}",
        "documentation_url": GITHUB,
    }
    for number, status in enumerate((401, 403, 404, 422, 500)):
        written.outside.github.script(PROPOSE, (status, quoted, {}))
        create(written, message(f"r_{number}", service_name=f"shop-{number}"))
    why = refused(quoted["message"], "createPullRequest")
    written.outside.github.script(PROPOSE, proposed([why], createPullRequest=None))
    create(written, message("r_9", service_name="shop-9"))
    written.outside.github.script(PROPOSE, proposed())
    written.outside.github.script(DECORATE, data([refused(quoted["message"], "reviewer0")]))
    create(written, message("r_10", service_name="shop-10"))


def breaks_off(written: Written) -> None:
    written.outside.github.script(LOOK, (NO_ANSWER, None, {}))
    create(written, message())


def has_malformed_secrets(written: Written) -> None:
    secrets = boto3.client("secretsmanager")
    key = {"app_id": 1, "installation_id": 2, "private_key": GITHUB}
    for text in (
        GITHUB,
        json.dumps([GITHUB]),
        json.dumps({"token": {"x": GITHUB}}),
        json.dumps(key),
    ):
        secrets.put_secret_value(SecretId="slipway/github", SecretString=text)
        config._current_secrets.cache_clear()
        create(written, message())
    secrets.put_secret_value(SecretId="slipway/port", SecretString=f'{{"client_secret": "{PORT}')
    config._current_secrets.cache_clear()
    create(written, message())


def is_approved(written: Written) -> None:
    set_policy({**POLICY, "rules": []})
    create(written, message())
    assert written.step("begin") == {"next": "Lock"}
    written.step("lock")
    assert written.step("request")["next"] == "Wait"
    token = written.link()
    written.step("wait", token="task-token")
    written.step("remind", token="task-token-2")
    page = proxy_event("GET", f"/links/{token}", None, None)
    shown = written.call(approval.handler, page)
    assert shown["statusCode"] == 200
    written.call(approval.handler, {**page, "path": f"/links/{token}x"})
    form = f"decision=APPROVE&change_hash={re.findall('[0-9a-f]{64}', shown['body'])[0]}"
    answer = written.call(approval.handler, {**page, "httpMethod": "POST", "body": form})
    assert answer["statusCode"] == 200
    written.step("execute")
    written.step("no such step")
    assert written.outside.github.branches()


FLOWS = [
    creates,
    types_a_secret_where_all_read_it,
    types_a_secret_that_is_an_object,
    is_refused_by_port_which_quotes,
    is_refused_by_github_which_quotes,
    breaks_off,
    has_malformed_secrets,
    is_approved,
]


# The other side's quote is in the log, so it must be masked there.
QUOTING = {is_refused_by_port_which_quotes, is_refused_by_github_which_quotes}


@pytest.mark.filterwarnings("ignore:No application metrics:UserWarning")
@pytest.mark.parametrize("flow", FLOWS)
def test_planted_secrets_are_not_written_anywhere(
    written: Written,
    flow: Callable[[Written], None],
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("slipway.github.retry.time.sleep", lambda _: None)
    monkeypatch.setattr(
        "slipway.runs.clients.services_repository.__kwdefaults__", {"retry_budget": 0.0}
    )

    with only_other_logs(caplog):
        flow(written)

    output = capsys.readouterr()
    texts = {**written.texts(), "metrics": output.out, "stderr": output.err, "others": caplog.text}
    found = {place: leaks([text], PLANTED) for place, text in texts.items()}
    assert {place: leak for place, leak in found.items() if leak} == {}
    assert "message" in texts["Port"]
    assert MASK in "".join(texts.values()) or flow not in QUOTING


@contextmanager
def only_other_logs(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Keep pytest from capturing our logger's input, which is not its output."""
    caplog.handler.addFilter(lambda entry: entry.name != "slipway")
    with caplog.at_level("INFO"):
        yield


LATER = datetime(2026, 11, 23, tzinfo=UTC)
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
TOKENS = st.one_of(
    st.builds(
        "{}{}".format,
        st.sampled_from(["IQoJb3JpZ2luX2Vj", "FwoGZXIvYXdz", "FQoGZXIvYXdz", "AQoDYXdz"]),
        st.text(ALPHABET, min_size=100, max_size=400),
    ),
    st.builds("ASIA{}".format, st.text(ALPHABET[:26], min_size=16, max_size=16)),
    st.builds(
        lambda approval, person, key: sign(Link(approval, person, LATER), key),
        *(st.text(min_size=1, max_size=40), st.emails(), st.text(min_size=1, max_size=40)),
    ),
)
QUOTED = st.sampled_from(
    [str, repr, json.dumps, lambda text: json.dumps(json.dumps(text)), lambda text: quote(text, "")]
)


@given(token=TOKENS, quoted=QUOTED, before=st.text(max_size=40), after=st.text(max_size=40))
def test_unregistered_token_is_masked_in_any_text(
    token: str, quoted: Callable[[str], str], before: str, after: str
) -> None:
    text = mask(quoted(f"{before} {token} {after}"))

    assert token not in text
    assert quote(token, safe="") not in text
    assert MASK in text


def _basic(secret: str) -> str:
    return "Basic " + base64.b64encode(f"slipway:{secret}".encode()).decode()
