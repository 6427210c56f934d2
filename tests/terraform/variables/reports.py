"""Rules of `terraform/variables.reports.tf`."""

from tests.terraform.variables.rule import Rule, variable, whole

ADDRESS = (
    [None, "https://slipway.acme.example/{api_id}/live", "http://127.0.0.1:4566"],
    ["https://slipway.acme.example/", "slipway.acme.example", "https://a b"],
)
REPORTS = [
    Rule("issuer and base_url", variable("reports.issuer"), *ADDRESS),
    Rule("issuer and base_url", variable("reports.base_url"), *ADDRESS),
    Rule("per_minute", variable("reports.per_minute"), **whole(1, 10_000)),
    Rule("throttle_rate", variable("reports.throttle_rate"), **whole(1, 10_000)),
    Rule("throttle_burst", variable("reports.throttle_burst"), **whole(1, 10_000)),
    Rule(
        "deployed_service.namespace",
        variable("deployed_service.namespace"),
        ["{service}", "{environment}-{service}", "all"],
        ["", "{team}", "{namespace}"],
    ),
    Rule(
        "deployed_service.urls may have",
        variable("deployed_service.urls"),
        [{}, {"grafana_url": "https://g.example/d?var={service}&ns={namespace}"}],
        [{"made_up_url": "https://g.example"}],
    ),
    Rule(
        "deployed_service.urls must be",
        variable("deployed_service.urls.health_url"),
        ["https://{service}.{environment}.example.com/health", "http://127.0.0.1:3300/x"],
        ["ftp://x/{service}", "{service}", "https://", "https://a b", "https://x/{team}"],
    ),
    Rule("ttl_days", variable("deployed_service.ttl_days"), **whole(1, 99_999)),
]
