"""What the catalogue shows of a deployed service, by the installation's templates. Pure."""

import re
from collections.abc import Mapping
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

Url = Literal["apps_chart_url", "argocd_app_url", "grafana_url", "health_url"]
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_EXAMPLE = {"service": "s", "environment": "e", "namespace": "n"}


class DeployedService(BaseModel):
    """Templates with `{service}`, `{environment}` (in lower case) and `{namespace}`.

    Attributes:
        namespace: the namespace, in which `{namespace}` has no meaning.
        urls: property of the entity → address.
        ttl_days: days until the service must be reviewed; None: no limit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    namespace: str = Field("{service}", min_length=1)
    urls: Mapping[Url, str] = {}
    ttl_days: int | None = Field(None, ge=1, le=99_999)

    @field_validator("namespace")
    @classmethod
    def _namespace_is_known(cls, template: str) -> str:
        _fill(template, {name: _EXAMPLE[name] for name in ("service", "environment")})
        return template

    @field_validator("urls")
    @classmethod
    def _urls_are_addresses(cls, urls: Mapping[Url, str]) -> Mapping[Url, str]:
        for name, template in urls.items():
            url = _fill(template, _EXAMPLE)
            parts = urlsplit(url)
            if parts.scheme not in {"http", "https"} or not parts.netloc or re.search(r"\s", url):
                raise ValueError(f"{name} must be an http(s) address")
        return urls

    def namespace_of(self, service: str, environment: str) -> str:
        """The namespace of one service."""
        known = {"service": service, "environment": environment.lower()}
        return _fill(self.namespace, known)

    def properties(self, service: str, environment: str) -> dict[str, Any]:
        """The properties of one service.

        Args:
            service: the service's identifier.
            environment: as in its reviewed `portData.json`.
        """
        namespace = self.namespace_of(service, environment)
        known = {"service": service, "environment": environment.lower(), "namespace": namespace}
        return {
            "namespace": namespace,
            **{name: _fill(template, known) for name, template in self.urls.items()},
            **({"ttl": self.ttl_days} if self.ttl_days is not None else {}),
        }


def _fill(template: str, known: Mapping[str, str]) -> str:
    def value(match: re.Match[str]) -> str:
        if match[1] not in known:
            names = ", ".join("{" + name + "}" for name in known)
            raise ValueError(f"{template!r} has the placeholder {match[0]}; known are {names}")
        return quote(known[match[1]], safe="")

    return _PLACEHOLDER.sub(value, template)
