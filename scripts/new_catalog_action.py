"""Create the files of a new action, and of its kind if it is new."""

import json
from collections.abc import Mapping
from typing import Any

from slipway.catalog.loading import OPERATIONS, load
from slipway.catalog.model import Kind
from slipway.errors import SlipwayError

_SCHEMA = "# yaml-language-server: $schema={up}{schemas}/{file}.schema.json\n"
_DRY_RUN = {
    "type": "boolean",
    "title": "Dry run",
    "description": "Only show what would change, and change nothing",
    "default": False,
}
# https://docs.port.io/actions-and-automations/setup-backend/kafka/
_INVOCATION = {
    "type": "KAFKA",
    "payload": {
        "action": "{{ .action.identifier }}",
        "resourceType": "run",
        "status": "TRIGGERED",
        "trigger": "{{ .trigger | {by, origin, at} }}",
        "context": {
            "entity": "{{ .entity.identifier }}",
            "blueprint": "{{ .action.blueprint }}",
            "runId": "{{ .run.id }}",
        },
        "payload": {
            "entity": "{{ (if .entity == {} then null else .entity end) }}",
            "action": {
                "invocationMethod": {"type": "KAFKA"},
                "trigger": "{{ .trigger.operation }}",
            },
            "properties": "{{ .inputs }}",
            "censoredProperties": "{{ .action.encryptedProperties }}",
        },
    },
}
_TEXT = {"type": "string", "maxLength": 200}


def new_files(
    files: Mapping[str, bytes],
    kind: str,
    action: str,
    operation: str,
    schemas: str = "../schemas",
) -> dict[str, str]:
    """Return the files of a new action.

    Args:
        files: the current catalog.
        kind: the kind's folder.
        action: the action.
        operation: what it does.
        schemas: the folder of the JSON Schemas, as seen from the catalog's.

    Returns:
        Path within the catalog → text.

    Raises:
        SlipwayError: the action exists, or the catalog with it would have a fault.
    """
    if operation not in OPERATIONS:
        raise SlipwayError(f"'{operation}' is not one of: {', '.join(OPERATIONS)}.")
    if any(path.startswith(f"{kind}/{action}/") for path in files):
        raise SlipwayError(f"{kind}/{action} exists already. Choose another name.")
    catalog, faults = load(files)
    if faults and kind in {path.partition("/")[0] for path in files}:
        raise SlipwayError(f"Correct the catalog first: {faults[0]}")
    there = catalog.kinds.get(kind)
    added = {} if there else _new_kind(kind, schemas)
    blueprint = there.blueprint.identifier if there else kind
    inputs, spec = _action_of(there, kind, operation)
    added[f"{kind}/{action}/action.json"] = _json(
        {
            "identifier": action,
            "title": action.replace("_", " ").title(),
            "icon": "Microservice",
            "description": f"Opens a pull request: {operation}",
            "trigger": {
                "type": "self-service",
                "operation": OPERATIONS[operation],
                "blueprintIdentifier": blueprint,
                "userInputs": {
                    "properties": {**inputs, "dry_run": _DRY_RUN},
                    "required": list(inputs),
                    "order": [*inputs, "dry_run"],
                },
            },
            "invocationMethod": _INVOCATION,
            "requiredApproval": False,
        }
    )
    schema = _SCHEMA.format(up="../../", schemas=schemas, file="action")
    added[f"{kind}/{action}/action.yaml"] = f"{schema}operation: {operation}\n{spec}"
    _, faults = load({**files, **{path: text.encode() for path, text in added.items()}})
    if faults:
        raise SlipwayError(f"Nothing was created: {faults[0]}")
    return added


def _action_of(kind: Kind | None, name: str, operation: str) -> tuple[dict[str, Any], str]:
    """Return the inputs and the rest of `action.yaml`."""
    match operation:
        case "create":
            parts = list(kind.parts) if kind else ["name"]
            lines = "".join(f'  {part}: "{{{{ .inputs.{part} }}}}"\n' for part in parts)
            inputs = {part: {**_TEXT, "title": part.title()} for part in parts}
            environment = {**_TEXT, "title": "Environment", "enum": ["Test", "Production"]}
            said = '  environment: "{{ .inputs.environment }}"\n'
            return {**inputs, "environment": environment}, f"parts:\n{lines}metadata:\n{said}"
        case "delete":
            return {"confirm": {**_TEXT, "title": "Type the identifier to confirm"}}, (
                "confirm: confirm\n"
            )
        case "workflow":
            return {"reason": {**_TEXT, "title": "Reason"}}, (
                "file: .github/workflows/run.yml\ninputs:\n"
                '  identifier: "{{ .identifier }}"\n  reason: "{{ .inputs.reason }}"\n'
            )
    metadata = kind.spec.metadata if kind else f"{name}s/{{name}}/port.json"
    return {"note": {**_TEXT, "title": "Note"}}, (
        f'set:\n  - file: "{metadata}"\n    path: note\n    to: "{{{{ .inputs.note }}}}"\n'
        "    add: true\n"
    )


def _new_kind(kind: str, schemas: str) -> dict[str, str]:
    """Return a kind with one folder for each entity."""
    resource = (
        _SCHEMA.format(up="../", schemas=schemas, file="resource") + 'identifier: "{name}"\n'
        "parts:\n"
        "  name:\n"
        '    pattern: "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"\n'
        "    message: \"1 to 63 lower-case letters, digits or '-'\"\n"
        f"    example: my-{kind}\n"
        "repository: services\n"
        f'files: ["{kind}s/{{name}}/**"]\n'
        f'metadata: "{kind}s/{{name}}/port.json"\n'
        'environment: "{{ .metadata.environment }}"\n'
        'properties:\n  environment: "{{ .metadata.environment }}"\n'
    )
    blueprint = {
        "identifier": kind,
        "title": kind.title(),
        "icon": "Microservice",
        "schema": {
            "properties": {
                "environment": {"type": "string", "title": "Environment"},
                "pr_url": {"type": "string", "format": "url", "title": "Pull Request"},
            },
            "required": [],
        },
        "relations": {},
    }
    return {f"{kind}/resource.yaml": resource, f"{kind}/blueprint.json": _json(blueprint)}


def _json(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"
