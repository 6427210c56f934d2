"""Define the settings of the parts that report pull requests."""

from pydantic import Field

from slipway.config import CatalogConfig, Config, HttpUrl, PortConfig


class ReportingConfig(PortConfig, CatalogConfig):
    """Settings of a report."""


class ReportsConfig(Config):
    """Settings of who may request reports, and how often."""

    reports_audience: HttpUrl = Field(alias="REPORTS_AUDIENCE")
    oidc_issuer: HttpUrl = Field(
        "https://token.actions.githubusercontent.com", alias="GITHUB_OIDC_ISSUER"
    )
    reports_per_minute: int = Field(60, alias="REPORTS_PER_MINUTE", ge=1)
    runs_table: str = Field(alias="RUNS_TABLE", min_length=1)
    idempotency_table: str = Field(alias="IDEMPOTENCY_TABLE", min_length=1)
