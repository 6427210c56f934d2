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
]
