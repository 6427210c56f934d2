"""What the catalogue shows of a deployed service."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from slipway_report.api import ReportError
from slipway_report.values import Values

Json = dict[str, Any]
# What people decided in the form and may have corrected in the pull request.
_REVIEWED = ("owner", "responsible_team", "project", "environment", "service_type")
_URLS = {
    "apps_chart_url": "APPS_CHART_URL",
    "argocd_app_url": "ARGOCD_APP_URL",
    "grafana_url": "GRAFANA_URL",
    "health_url": "HEALTH_URL",
}
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class Templates:
    """What a deployed service has, with `{service}`, `{namespace}` and `{environment}`.

    Attributes:
        urls: property → template of an address.
        namespace: template of the namespace, in which `{namespace}` has no meaning.
        ttl: days until the service is to be looked at; None: no limit.
    """

    urls: Mapping[str, str]
    namespace: str
    ttl: int | None

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Templates":
        """Read the repository's variables; an empty one sets nothing.

        Raises:
            ReportError: SERVICE_TTL_DAYS is no number of days.
        """
        days = environment.get("SERVICE_TTL_DAYS", "").strip()
        if days and not re.fullmatch(r"[1-9][0-9]{0,4}", days):
            raise ReportError(
                f"Repository variable SERVICE_TTL_DAYS is {days!r}. Set it to a whole number of "
                "days from 1 to 99999, or remove it."
            )
        urls = {name: environment.get(variable, "").strip() for name, variable in _URLS.items()}
        return cls(
            urls={name: template for name, template in urls.items() if template},
            namespace=environment.get("NAMESPACE", "").strip() or "{service}",
            ttl=int(days) if days else None,
        )

    def properties(self, service: str, environment: str) -> Json:
        """The properties of one service.

        Args:
            service: the service's identifier.
            environment: as in the form; put in as lower case.

        Raises:
            ReportError: a variable has an unknown placeholder, or does not give an address.
        """
        known = {"service": service, "environment": environment.lower()}
        namespace = _fill("NAMESPACE", self.namespace, known)
        properties: Json = {"namespace": namespace}
        for name, template in self.urls.items():
            url = _fill(_URLS[name], template, {**known, "namespace": namespace})
            parts = urlsplit(url)
            if parts.scheme not in {"http", "https"} or not parts.netloc or re.search(r"\s", url):
                raise ReportError(
                    f"Repository variable {_URLS[name]} gives {url!r}, which is no http(s) "
                    "address. Correct it, then re-run this job."
                )
            properties[name] = url
        if self.ttl is not None:
            properties["ttl"] = self.ttl
        return properties


def _fill(variable: str, template: str, known: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        if match[1] not in known:
            names = ", ".join("{" + name + "}" for name in known)
            raise ReportError(
                f"Repository variable {variable} has the placeholder {match[0]}. Known are "
                f"{names}. Correct it, then re-run this job."
            )
        return quote(known[match[1]], safe="")

    return _PLACEHOLDER.sub(value, template)


def reviewed_properties(port_data: str, values: Values) -> Json:
    """What people decide about a service, and may correct in its files.

    Args:
        port_data: the text of the reviewed portData.json.
        values: what the values on the base branch say.
    """
    data = json.loads(port_data)
    reviewed = {name: str(data[name]) for name in _REVIEWED if data.get(name)}
    said = {"replicas": values.replicas, "image_tag": values.image_tag}
    return {**reviewed, **{name: value for name, value in said.items() if value is not None}}


def created_properties(
    port_data: str, pr_url: str, service: str, templates: Templates, values: Values
) -> Json:
    """All properties of a service that has just been merged, apart from its health.

    Args:
        port_data: the text of the reviewed portData.json.
        pr_url: the pull request's page.
        service: the service's identifier.
        templates: addresses of what a deployed service has.
        values: what the merged values say.
    """
    reviewed = reviewed_properties(port_data, values)
    return {
        **reviewed,
        **templates.properties(service, reviewed.get("environment", "")),
        "pr_url": pr_url,
        # Only where nothing is known yet: see `changed_properties`.
        "health_status": "Progressing",
        "sync_status": "OutOfSync",
    }


def changed_properties(wanted: Json, entity: Json | None) -> Json:
    """What of `wanted` has to be written.

    The cluster and the health checker may have been faster than this report, or this may be a
    second one: a service that is not pending any more is not set back to Progressing or OutOfSync.

    Args:
        wanted: property → value.
        entity: the entity as it is; None if there is none.
    """
    has = (entity or {}).get("properties", {})
    keep = {
        "health_status": wanted.get("health_status") == "Progressing"
        and has.get("health_status") not in {None, "Pending"},
        "sync_status": has.get("sync_status") is not None,
    }
    return {
        name: value
        for name, value in wanted.items()
        if has.get(name) != value and not keep.get(name, False)
    }
