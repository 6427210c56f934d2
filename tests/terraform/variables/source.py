"""Rules of `terraform/variables.source.tf`."""

from tests.terraform.variables.rule import MSK, PLUGIN, Rule, variable, whole


def by_webhook(**others: object) -> Rule:
    """Make a rule that refuses other variables when webhook is the source."""
    ((name, value),) = others.items()
    message = {"changes": "gets changes from automations", "workflows": "takes no runs"}
    return Rule(
        message.get(name, "reads no topic"),
        lambda one: {"run_source": {"mode": "webhook"}, name: one},
        refused=[value],
    )


SOURCE = [
    Rule("run_source.mode must be", variable("run_source.mode"), ["kafka", "webhook"], ["sqs"]),
    Rule("throttle_rate", variable("run_source.throttle_rate"), **whole(1, 10_000)),
    Rule("throttle_burst", variable("run_source.throttle_burst"), **whole(1, 10_000)),
    Rule("run_source.concurrency", variable("run_source.concurrency"), **whole(2, 1000)),
    Rule("maximum_receives", variable("run_source.maximum_receives"), **whole(1, 1000)),
    by_webhook(kafka={"mode": "msk", "cluster_arn": MSK}),
    by_webhook(kafka={"bootstrap_servers": ["kafka-1.example.com:9096"]}),
    by_webhook(provisioned_pollers={"min": 1, "max": 2}),
    by_webhook(changes={"source": "change_log"}),
    by_webhook(workflows=True),
    Rule(
        "reads no topic",
        lambda mirror: {
            "run_source": {"mode": "webhook"},
            "kafka": {"mode": "msk", "cluster_arn": MSK, "authentication": "IAM"},
            "kafka_mirror": mirror,
            "network": {"vpc_id": "vpc-1", "subnet_ids": ["subnet-1", "subnet-2"]},
        },
        refused=[{"plugin": PLUGIN}],
    ),
]
