"""Check Kafka: the brokers and Port's topics."""

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from scripts.checks.aws import installation_name
from scripts.checks.result import Installation, Result
from scripts.environment import port_client, require
from scripts.port_definitions import uses_change_log
from scripts.port_setup import recorded_installations
from scripts.topics import topic_names

TIMEOUT_SECONDS = 10
_BY_WEBHOOK = "not looked at: Port sends runs by webhook"


def brokers(installation: Installation) -> Result:
    """Check that the brokers are those that Port names."""
    name = "Kafka: Port's brokers"
    settings = installation.settings
    if settings.get("RUN_SOURCE") == "webhook":
        return Result(name, None, _BY_WEBHOOK)
    require(settings, "KAFKA_BOOTSTRAP_SERVERS")
    if settings.get("KAFKA_MODE") == "msk":
        return Result(name, None, "not compared: the functions read an MSK cluster")
    answer = port_client(settings).request("GET", "/v1/kafka-credentials")
    credentials = answer.get("credentials")
    named = credentials.get("brokers") if isinstance(credentials, dict) else None
    if not isinstance(named, list) or not named:
        return Result(name, None, "Port names no brokers")
    theirs = {str(broker).strip().lower() for broker in named}
    ours = {each.strip().lower() for each in settings["KAFKA_BOOTSTRAP_SERVERS"].split(",")}
    if ours <= theirs:
        return Result(name, True, ", ".join(sorted(ours)))
    return Result(
        name,
        False,
        f"not Port's: {', '.join(sorted(ours - theirs))}",
        f"Port names {', '.join(sorted(theirs))}: set kafka.bootstrap_servers in Terraform and "
        "KAFKA_BOOTSTRAP_SERVERS to these. For an MSK cluster, set KAFKA_MODE=msk.",
    )


def topics(installation: Installation) -> Result:
    """Check that the brokers answer and have the installation's topics."""
    name = "Kafka: topics"
    settings = installation.settings
    if settings.get("RUN_SOURCE") == "webhook":
        return Result(name, None, _BY_WEBHOOK)
    require(settings, "KAFKA_BOOTSTRAP_SERVERS", "PORT_ORG_ID")
    servers = settings["KAFKA_BOOTSTRAP_SERVERS"]
    options: dict[str, str | int | float | bool] = {"bootstrap.servers": servers, "log_level": 0}
    if settings.get("KAFKA_USERNAME"):
        options |= {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": settings["KAFKA_USERNAME"],
            "sasl.password": settings.get("KAFKA_PASSWORD", ""),
        }
    try:
        # The whole list: on some clusters, asking for a topic by name creates it.
        found = AdminClient(options).list_topics(timeout=TIMEOUT_SECONDS).topics
    except KafkaException as error:
        return Result(
            name,
            False,
            f"{servers} does not answer: {error.args[0].str()}",
            "Check KAFKA_BOOTSTRAP_SERVERS, KAFKA_USERNAME and KAFKA_PASSWORD, and that this "
            "network may reach the brokers.",
        )
    wanted = topic_names(settings["PORT_ORG_ID"], change_log=uses_change_log(settings))
    if missing := [topic for topic in wanted if topic not in found]:
        cure = "Check PORT_ORG_ID, then ask Port's support to create the organisation's topics."
        return Result(name, False, f"missing: {', '.join(missing)}", cure)
    return Result(name, True, ", ".join(wanted))


def consumer_groups(installation: Installation) -> Result:
    """Check that no other installation has the same consumer groups on Port's cluster.

    Otherwise Kafka would split the records, and each installation would miss runs. A group's name
    has the organisation and the name prefix, but neither the AWS account nor the region.
    """
    name = "Kafka: consumer groups"
    if installation.settings.get("RUN_SOURCE") == "webhook":
        return Result(name, None, _BY_WEBHOOK)
    if installation.settings.get("KAFKA_MODE") == "msk":
        return Result(name, None, "not compared: the functions read an MSK cluster")
    own = installation_name(installation)
    if not own:
        return Result(name, None, "AWS does not show which installation this is")
    others = [
        other
        for other in recorded_installations(port_client(installation.settings))
        if other != own and other.rpartition("/")[2] == installation.name_prefix
    ]
    if not others:
        return Result(name, True, "this installation only")
    cure = (
        "Kafka splits the records between them, so each misses runs. Give one of them another "
        "name_prefix in Terraform, apply it, and run scripts/port_setup --apply. If the other one "
        "is gone, delete its entity of blueprint slipway_setup in Port."
    )
    return Result(name, False, f"{', '.join(others)} has the same groups", cure)
