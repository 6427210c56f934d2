"""Find the environments that the create form of a kind offers."""

from slipway.catalog.expressions import references_of
from slipway.catalog.files import CreateFile
from slipway.catalog.model import Kind


def environments_of(kind: Kind) -> list[str] | None:
    """Return the environments in form order; None if not an `enum`."""
    expression = kind.spec.environment
    parts, metadata = (references_of(expression, root) for root in ("parts", "metadata"))
    found: list[str] = []
    for action in kind.actions.values():
        spec = action.spec
        if not isinstance(spec, CreateFile):
            continue
        values = [
            *(spec.parts.get(name) for name in parts),
            *(spec.metadata.get(name) for name in metadata),
        ]
        for name in sorted({name for value in values for name in references_of(value, "inputs")}):
            choices = action.form.inputs[name].schema.get("enum")
            if not isinstance(choices, list):
                return None
            found += [str(choice) for choice in choices]
    return list(dict.fromkeys(found)) or None
