"""How Port invokes an installation: by its Kafka topic, or by webhook. Pure.

The definitions say KAFKA with a payload template. By webhook, the same template is the body of a
request, which Port signs:
https://docs.port.io/actions-and-automations/setup-backend/webhook/
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from slipway.errors import ConfigurationError

Json = dict[str, Any]
_ADDRESS = re.compile(r"https://[^\s/]+/\S+|http://127\.0\.0\.1:\d+/\S+")


def invoked[K](
    definitions: Sequence[tuple[K, Json]],
    settings: Mapping[str, str],
    installed: Mapping[str, Json],
) -> list[tuple[K, Json]]:
    """Return definitions whose actions and automations Port invokes as the installation expects.

    Args:
        definitions: kind and definition of each object.
        settings: RUN_SOURCE, `kafka` or `webhook`, and WEBHOOK_URL: Terraform's output
            `port_setup`. Without RUN_SOURCE, it stays as it was installed.
        installed: what was installed last.

    Raises:
        ConfigurationError: a setting is wrong.
    """
    url = _webhook_url(settings, installed)
    return [(kind, _by_webhook(each, url) if url else each) for kind, each in definitions]


def _webhook_url(settings: Mapping[str, str], installed: Mapping[str, Json]) -> str | None:
    """Return the address for Port's requests; None: it publishes on its topic."""
    source = settings.get("RUN_SOURCE")
    if not source:
        methods = (each.get("invocationMethod") or {} for each in installed.values())
        return next((str(each["url"]) for each in methods if each.get("type") == "WEBHOOK"), None)
    if source not in {"kafka", "webhook"}:
        raise ConfigurationError(
            "RUN_SOURCE must be 'kafka' or 'webhook', as Terraform's 'run_source.mode'."
        )
    if source == "kafka":
        return None
    url = settings.get("WEBHOOK_URL", "")
    if not _ADDRESS.fullmatch(url):
        raise ConfigurationError(
            "WEBHOOK_URL must be the https address of Terraform's output 'webhook_url'."
        )
    return url


def _by_webhook(definition: Json, url: str) -> Json:
    method = definition.get("invocationMethod") or {}
    body = method.get("payload", method.get("body"))
    if method.get("type") not in {"KAFKA", "WEBHOOK"} or body is None:
        return definition
    webhook = {
        "type": "WEBHOOK",
        "url": url,
        "agent": False,
        "synchronized": False,
        "method": "POST",
        "body": _without_method(body),
    }
    return {**definition, "invocationMethod": webhook}


def _without_method(body: Json) -> Json:
    """The body without what the template says of Kafka, which a webhook's message is not of."""
    match body:
        case {"payload": {"action": {"invocationMethod": _, **action}, **payload}}:
            return {**body, "payload": {**payload, "action": action}}
    return body
