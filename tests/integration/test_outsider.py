"""Attacks by an outsider that need a whole sandbox; the others are in `tests/attacks/`."""

import pytest
import requests

from scripts.apply_sandbox import Mode, Stack
from tests.integration.conftest import SandboxClient

pytestmark = [
    pytest.mark.integration,
    pytest.mark.story,
    pytest.mark.parametrize("stack", [Mode.EXTERNAL], indirect=True),
]
SERVERS = ("PORT_BASE_URL", "GITHUB_API_URL", "AWS_ENDPOINT_URL", "CLUSTER_URL")


@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "attacker.example"}, 421),
        ({"Origin": "http://attacker.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({}, 401),
    ],
)
def test_foreign_request_to_a_sandbox_server_is_refused(
    sandbox: SandboxClient, server: str, headers: dict[str, str], status: int
) -> None:
    url = f"{sandbox.env[server].removesuffix('/api/v3')}/_sandbox/health"

    assert requests.get(url, headers=headers, timeout=300).status_code == status


def test_click_on_unsubscribe_silences_no_approver(sandbox: SandboxClient, stack: Stack) -> None:
    topic = stack.outputs()["approvals_topic_arn"]
    before = sandbox.aws("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert before
    for subscription in before:
        click = {"Action": "Unsubscribe", "SubscriptionArn": subscription["SubscriptionArn"]}
        answer = requests.get(sandbox.env["AWS_ENDPOINT_URL"], params=click, timeout=300)

        assert answer.status_code == 403
    after = sandbox.aws("sns").list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    assert after == before
