"""Rules of `terraform/variables.kafka.tf`."""

from tests.terraform.variables.rule import MSK, PLUGIN, Rule, variable, whole

KAFKA = [
    Rule("kafka.mode must be", variable("kafka.mode"), ["external"], ["confluent"]),
    Rule(
        "need kafka.mode",
        variable("kafka"),
        refused=[{"cluster_arn": MSK}, {"create": {}}, {"authentication": "IAM"}],
    ),
    Rule(
        "needs either kafka.cluster_arn or kafka.create",
        lambda kafka: {"kafka": {"mode": "msk", **kafka}},
        [{"create": {}}, {"cluster_arn": MSK}],
        [{}, {"create": {}, "cluster_arn": MSK}, {"create": {}, "bootstrap_servers": ["a:1"]}],
    ),
    Rule(
        "kafka.bootstrap_servers",
        variable("kafka.bootstrap_servers"),
        [None, ["kafka-1.example.com:9096"], ["10.0.0.1:9096"] * 10],
        [[], ["a:1"] * 11, ["kafka-1.example.com"], ["https://a:1"]],
    ),
    Rule(
        "kafka.cluster_arn must be",
        variable("kafka.cluster_arn", mode="msk"),
        refused=["arn:aws:kafka:eu-west-1:111122223333:topic/runs/0a1b-1/t"],
    ),
    Rule(
        "kafka.authentication must be",
        variable("kafka.authentication", mode="msk", create={}),
        ["SCRAM", "IAM"],
        ["TLS"],
    ),
    Rule(
        "kafka.create.type",
        variable("kafka.create.type", mode="msk", authentication="IAM"),
        ["provisioned", "serverless"],
        ["express"],
    ),
    Rule(
        "supports only IAM",
        variable("kafka.authentication", mode="msk", create={"type": "serverless"}),
        refused=["SCRAM"],
    ),
    Rule(
        "kafka.create.volume_gib",
        variable("kafka.create.volume_gib", mode="msk"),
        [1, 200],
        [0, 201],
    ),
    Rule(
        "volume_gib_max",
        variable("kafka.create.volume_gib_max", mode="msk"),
        [50, 16384],
        [49, 16385],
    ),
    Rule(
        "kafka.create.brokers_per_zone",
        variable("kafka.create.brokers_per_zone", mode="msk"),
        **whole(1),
    ),
    Rule(
        "kafka.starting_position",
        variable("kafka.starting_position"),
        [None, "LATEST", "TRIM_HORIZON"],
        ["AT_TIMESTAMP"],
    ),
    Rule(
        "provisioned_pollers.min",
        variable("provisioned_pollers.min", max=2000),
        [1, 200],
        [0, 201],
    ),
    Rule(
        "provisioned_pollers.min must",
        variable("provisioned_pollers.max", min=2),
        [2, 2000],
        [1, 2001],
    ),
    Rule(
        "maximum_retry_attempts",
        variable("provisioned_pollers.maximum_retry_attempts"),
        [-1, 0, 10000],
        [-2, 10001],
    ),
    Rule(
        "maximum_record_age_seconds",
        variable("provisioned_pollers.maximum_record_age_seconds"),
        [-1, 60, 604800],
        [0, 59, 604801],
    ),
    Rule(
        "kafka_mirror needs kafka.mode",
        lambda kafka: {"kafka": kafka, "kafka_mirror": {"plugin": PLUGIN}},
        [{"mode": "msk", "create": {}}],
        [{}],
    ),
    Rule(
        "kafka_mirror.plugin",
        lambda changes: {
            "kafka": {"mode": "msk", "create": {}},
            "kafka_mirror": {"plugin": {**PLUGIN, **changes}},
        },
        [{}, {"version": "1"}],
        [{"bucket_arn": "acme-plugins"}, {"key": ""}],
    ),
    Rule(
        "kafka_mirror.plugin.sha256",
        lambda sha256: {
            "kafka": {"mode": "msk", "create": {}},
            "kafka_mirror": {"plugin": {**PLUGIN, "sha256": sha256}},
        },
        [PLUGIN["sha256"]],
        ["", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    ),
    Rule(
        "kafka_mirror.source_servers",
        lambda servers: {
            "kafka": {"mode": "msk", "create": {}},
            "kafka_mirror": {"plugin": PLUGIN, "source_servers": servers},
        },
        [None, ["a.example.com:9096", "b.example.com:9096"]],
        [["a.example.com:9096", "b.example.com:9097"], ["a.example.com"]],
    ),
]
