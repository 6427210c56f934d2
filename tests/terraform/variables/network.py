"""Rules of `terraform/variables.network.tf`."""

from tests.terraform.variables.rule import MSK, PLUGIN, Rule, variable

NETWORK = [
    Rule("network.cidr", variable("network.cidr"), ["10.0.0.0/26"], ["10.0.0.0", "10.0.0.0/27"]),
    Rule(
        "network.cidr",
        lambda cidr: {
            "kafka": {"mode": "msk", "create": {}},
            "kafka_mirror": {"plugin": PLUGIN},
            "network": {"cidr": cidr},
        },
        ["10.0.0.0/24"],
        ["10.0.0.0/25"],
    ),
    Rule(
        "network.vpc_id needs network.subnet_ids",
        variable("network"),
        [
            {"vpc_id": "vpc-a", "subnet_ids": ["subnet-a", "subnet-b"]},
            {"vpc_id": "vpc-a", "subnet_ids": ["subnet-a", "subnet-b", "subnet-c"]},
        ],
        [
            {"vpc_id": "vpc-a"},
            {"subnet_ids": ["subnet-a", "subnet-b"]},
            {"vpc_id": "vpc-a", "subnet_ids": ["subnet-a", "subnet-a"]},
            {"vpc_id": "vpc-a", "subnet_ids": [f"subnet-{number}" for number in range(4)]},
        ],
    ),
    Rule(
        "network.security_group_id needs", variable("network.security_group_id"), refused=["sg-a"]
    ),
    Rule(
        "ids begin with",
        lambda ids: {
            "network": dict(zip(("vpc_id", "subnet_ids", "security_group_id"), ids, strict=True))
        },
        [("vpc-a", ["subnet-a", "subnet-b"], "sg-a")],
        [
            ("sg-a", ["subnet-a", "subnet-b"], "sg-a"),
            ("vpc-a", ["subnet-a", "sg-a"], "sg-a"),
            ("vpc-a", ["subnet-a", "subnet-b"], "vpc-a"),
        ],
    ),
    Rule(
        "works in that cluster's VPC",
        lambda group: {
            "kafka": {"mode": "msk", "authentication": "IAM", "cluster_arn": MSK},
            "kafka_mirror": {"plugin": PLUGIN},
            "network": {
                "vpc_id": "vpc-a",
                "subnet_ids": ["subnet-a", "subnet-b"],
                "security_group_id": group,
            },
        },
        ["sg-a"],
        [None],
    ),
]
