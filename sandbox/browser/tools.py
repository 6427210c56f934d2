"""A blueprint `tool` whose actions have what Slipway's own have not: secrets, Port's approval, …"""

from typing import Any

BLUEPRINT = {
    "identifier": "tool",
    "title": "Tool",
    "schema": {"properties": {"note": {"type": "string", "title": "Note"}}, "required": []},
    "relations": {"service": {"title": "Service", "target": "service", "required": False}},
}


def _action(
    identifier: str, title: str, operation: str, inputs: dict[str, Any], **more: Any
) -> dict[str, Any]:
    return {
        "identifier": identifier,
        "title": title,
        "trigger": {
            "type": "self-service",
            "operation": operation,
            "blueprintIdentifier": "tool",
            "userInputs": {"properties": inputs, "required": [], "order": list(inputs)},
        },
        "invocationMethod": {"type": "KAFKA"},
        **more,
    }


ACTIONS = [
    _action(
        "rotate",
        "Rotate Secret",
        "DAY-2",
        {
            "token": {"type": "string", "title": "Token", "encryption": "aes256-gcm"},
            "reason": {"type": "string", "title": "Reason", "dependsOn": ["token"]},
            "for": {
                "type": "string",
                "title": "For service",
                "format": "entity",
                "blueprint": "service",
            },
            "urgent": {"type": "boolean", "title": "Urgent", "default": False},
            "until": {
                "type": "string",
                "title": "Until",
                "visible": {"jqQuery": ".form.urgent == true"},
            },
        },
    ),
    _action("restart", "Restart Tool", "DAY-2", {}, requiredApproval=True),
    _action("drop", "Drop Tool", "DELETE", {}),
]
