import gc

import boto3
import pytest
from slipway.errors import ConfigurationError
from slipway.health.alerts import Alerts, slack_message
from slipway.health.report import alert_title
from slipway.slack import mrkdwn, post

from tests.scripted import NO_ANSWER, ScriptedServer
from tests.unit.health.story import make_state

pytestmark = pytest.mark.waits

TOPIC = "arn:aws:sns:eu-west-1:123456789012:alerts"
URL = "https://github.test/issues/9"
LINES = ["2026-11-23 10:00:00 The service was reported as Degraded."]
REASON = "No repair is left to try."


@pytest.fixture
def queue(aws: None) -> str:
    """Make a queue that receives the alerts, with their subjects."""
    url = boto3.client("sqs").create_queue(QueueName="people")["QueueUrl"]
    arn = "arn:aws:sqs:eu-west-1:123456789012:people"
    boto3.client("sns").subscribe(TopicArn=TOPIC, Protocol="sqs", Endpoint=arn)
    return str(url)


def received(queue: str) -> list[str]:
    answer = boto3.client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
    return [message["Body"] for message in answer.get("Messages", [])]


@pytest.mark.parametrize(
    ("service", "subject"),
    [
        ("shop", "shop (Test) is unhealthy"),
        ("über", "ber (Test) is unhealthy"),
        ("店", "(Test) is unhealthy"),
        ("a\nb", "a b (Test) is unhealthy"),
        ("x" * 500, "x" * 99),
    ],
)
def test_alert_email_has_a_valid_subject_and_its_text(
    queue: str, service: str, subject: str
) -> None:
    Alerts(TOPIC, None).send(alert_title(make_state(service=service)), REASON, LINES, URL)

    (body,) = received(queue)
    assert f'"Subject": "{subject}"' in body
    assert REASON in body
    assert LINES[0] in body
    assert f"Details: {URL}" in body


def test_slack_alert_is_sent_when_the_topic_is_missing(aws: None) -> None:
    with ScriptedServer().running() as slack:
        slack.script("POST /hook", (200, "ok", {}))
        alerts = Alerts(TOPIC + "-gone", lambda: f"{slack.url}/hook")

        alerts.send(alert_title(make_state()), REASON, LINES, URL)

        (message,) = slack.bodies("POST /hook")
    assert message == slack_message("my-service (Test) is unhealthy", REASON, URL)


def test_alert_email_is_sent_when_the_webhook_is_unreadable(
    queue: str,
) -> None:
    def webhook() -> str:
        raise ConfigurationError("The secret is empty.")

    Alerts(TOPIC, webhook).send(alert_title(make_state()), REASON, LINES, URL)

    assert len(received(queue)) == 1


@pytest.mark.parametrize(("status", "taken"), [(200, True), (404, False), (NO_ANSWER, False)])
def test_slack_post_returns_whether_slack_accepted_it(
    status: int, taken: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with ScriptedServer().running() as slack:
        slack.script("POST /hook/secret-part", (status, "ok", {}))

        assert post(f"{slack.url}/hook/secret-part", {"text": "t"}) is taken

    assert "secret-part" not in caplog.text


def test_slack_post_returns_false_when_the_address_is_invalid() -> None:
    assert post("not an address", {"text": "t"}) is False


# requests drops the answer, with its socket, when it cannot read the header.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_slack_post_returns_false_when_the_redirect_is_invalid() -> None:
    with ScriptedServer().running() as slack:
        slack.script("POST /hook", (302, "", {"Location": "\xb2"}))

        assert post(f"{slack.url}/hook", {"text": "t"}) is False

    gc.collect()  # This closes the socket within the test.


def test_slack_message_escapes_mentions_and_links() -> None:
    message = slack_message("a <!channel> is unhealthy", "<!here> & <https://evil.test|click>", URL)

    text = message["blocks"][1]["text"]["text"]
    assert text == f"&lt;!here&gt; &amp; &lt;https://evil.test|click&gt;\n<{URL}|Details>"
    assert "<" not in message["text"]
    assert mrkdwn("a&b") == "a&amp;b"


def test_slack_message_stays_within_its_length_limits() -> None:
    # https://docs.slack.dev/reference/block-kit/blocks
    message = slack_message("t" * 1000, "&" * 10_000, URL)

    header, section = message["blocks"]
    assert len(header["text"]["text"]) <= 150
    assert len(section["text"]["text"]) <= 3000
