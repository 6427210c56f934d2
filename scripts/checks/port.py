"""Check Port: credentials, role, blueprints and actions."""

from slipway.errors import PortError

from scripts.checks.aws import installation_name
from scripts.checks.result import Installation, Result
from scripts.environment import port_client
from scripts.port_definitions import identifier_prefix
from scripts.port_setup import plan, read_record, recorded_installation, wanted_definitions

_CREDENTIALS = (
    "Check PORT_CLIENT_ID and PORT_CLIENT_SECRET (Port: … → Credentials), and that PORT_BASE_URL "
    "is your organisation's region (https://api.port.io or https://api.us.port.io)."
)


def sign_in(installation: Installation) -> Result:
    """Check that Port accepts the credentials of the right organisation."""
    name = "Port: credentials"
    try:
        answer = port_client(installation.settings).request("GET", "/v1/organization")
    except PortError as error:
        return Result(name, False, str(error), _CREDENTIALS)
    found = str(answer["organization"]["id"])
    wanted = installation.settings.get("PORT_ORG_ID", found)
    cure = f"Set PORT_ORG_ID to {found}, or use the credentials of {wanted}."
    return Result(name, found == wanted, f"organisation {found}", cure)


def role(installation: Installation) -> list[Result]:
    """Check that the credentials may write entities. Port stores nothing."""
    blueprints = sorted(kind.blueprint.identifier for kind in installation.catalog.kinds.values())
    return [_role(installation, blueprint) for blueprint in blueprints]


def _role(installation: Installation, blueprint: str) -> Result:
    name = f"Port: role for {blueprint}"
    try:
        port_client(installation.settings).request(
            "POST",
            f"/v1/blueprints/{blueprint}/entities",
            params={"upsert": "true", "merge": "true", "validation_only": "true"},
            json={"identifier": "slipway-doctor", "properties": {}},
        )
    except PortError as error:
        missing = error.not_found and "Install the blueprint: scripts/port_setup --apply"
        cure = missing or {
            401: _CREDENTIALS,
            403: "Give these credentials the role Admin, or let their role create and update "
            f"entities of blueprint '{blueprint}' (Port: blueprint → Permissions).",
        }.get(error.status, "Compare the blueprint with the catalog's: scripts/port_setup")
        return Result(name, False, str(error), cure)
    return Result(name, True, "may write entities")


def definitions(installation: Installation) -> Result:
    """Check that blueprints, actions and automations match the catalog."""
    client, prefix = port_client(installation.settings), identifier_prefix(installation.settings)
    wanted = wanted_definitions(
        read_record(client, prefix), installation.settings, installation.catalog_folder
    )
    steps = plan(client, wanted, prefix)
    wrong = [f"{s.kind} {s.identifier} is " + _state(s.change) for s in steps if s.change]
    detail = ", ".join(wrong) or f"{len(steps)} objects are up to date"
    cure = "Show the difference: scripts/port_setup. Install it: scripts/port_setup --apply"
    return Result("Port: blueprints and actions", not wrong, detail, cure)


def consumers(installation: Installation) -> Result:
    """Check that no other installation runs the same actions.

    Otherwise both would carry out each run.

    Port has one definition of an action, and does not show who reads its messages. Kafka lists
    consumer groups only to those who may describe them, and a webhook has none. So the record that
    `port_setup` keeps in Port names the installation.
    """
    name = "Port: consumers of the actions"
    prefix = identifier_prefix(installation.settings)
    recorded = recorded_installation(port_client(installation.settings), prefix)
    own = installation_name(installation)
    if not recorded or not own:
        said = "AWS does not show which installation this is" if recorded else "not recorded"
        return Result(name, None, f"{said}: scripts/port_setup --apply with Terraform's output")
    cure = (
        f"Both would run each request. Give {own} or {recorded} another identifier_prefix in "
        "Terraform, apply it, and run scripts/port_setup --apply for both. If the other one is "
        "gone: scripts/port_setup --apply --take-over"
    )
    found = "this installation only" if recorded == own else f"{recorded} has the same actions"
    return Result(name, recorded == own, found, cure)


def _state(change: str | None) -> str:
    states = {"create": "missing", "change": "out of date", "delete": "no longer needed"}
    return states[change or ""]
