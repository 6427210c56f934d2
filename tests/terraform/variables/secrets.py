"""Rules of `terraform/variables.secrets.tf`."""

from tests.terraform.variables.rule import Rule, variable, whole

SECRETS = [
    Rule("secret_versions", variable("secret_versions.links"), **whole(0)),
    Rule("secret_versions", variable("secret_versions.kafka"), refused=[-1]),
    Rule(
        "port_credentials",
        variable("port_credentials"),
        [None, {"client_id": "id", "client_secret": "s" * 32}],
        [
            {"client_id": "id", "client_secret": "s" * 31},
            {"client_id": "", "client_secret": "s" * 32},
        ],
    ),
    Rule(
        "github_credentials",
        variable("github_credentials"),
        [None, {"token": "t"}, {"app_id": 1, "installation_id": 2, "private_key": "key"}],
        [
            {},
            {"app_id": 1, "installation_id": 2},
            {"app_id": 1, "installation_id": 2, "private_key": "key", "token": "t"},
        ],
    ),
    *(
        Rule(
            name,
            variable(name),
            [None, {"username": "user", "password": "p"}],
            [{"username": "user", "password": ""}, {"username": "", "password": "p"}],
        )
        for name in ("kafka_credentials", "mirror_credentials")
    ),
    Rule(
        "slack_webhook_url",
        variable("slack_webhook_url"),
        [None, "https://hooks.slack.com/services/T0/B0/x", "http://127.0.0.1:8080/hook"],
        ["http://hooks.slack.com/services/T0/B0/x", "T0/B0/x"],
    ),
]
