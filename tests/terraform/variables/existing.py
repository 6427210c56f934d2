"""Rules of `terraform/variables.existing.tf`."""

from tests.terraform.variables.rule import Rule, variable

KEY = "arn:aws:kms:eu-west-1:111122223333:key/0a1b"
TOPIC = "arn:aws:sns:eu-west-1:111122223333:acme-alerts"

EXISTING = [
    Rule(
        "encryption_key.arn",
        variable("encryption_key.arn"),
        [KEY],
        ["0a1b", "arn:aws:kms:eu-west-1:111122223333:alias/acme"],
    ),
    *(
        Rule(
            "must be the name of an S3 bucket",
            variable(f"buckets.{kind}.name"),
            ["acme-records", "acme.records"],
            ["arn:aws:s3:::acme-records", "Acme", "a"],
        )
        for kind in ("records", "audit")
    ),
    *(
        Rule(
            "must be the ARN of an SNS topic",
            variable(f"notification_topics.{kind}.arn"),
            [TOPIC],
            ["acme-alerts", f"{TOPIC}.fifo"],
        )
        for kind in ("approvals", "alerts")
    ),
    Rule(
        "role_path",
        variable("role_path"),
        ["/", "/platform/", "/a/b.c/"],
        ["platform", "/platform", "//"],
    ),
    Rule("account_suffix", variable("account_suffix"), [None, "", "-blue"], ["-" * 16, "/a"]),
    Rule(
        "log_group_prefix",
        variable("log_group_prefix"),
        ["/aws", "/acme/slipway", "acme"],
        ["/acme/", "", "/acme logs"],
    ),
]
