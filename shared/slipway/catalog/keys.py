"""Make the keys of entities for locks, ledger and approvals."""


def key_of(blueprint: str, identifier: str) -> str:
    """Return the key of an entity."""
    return f"{blueprint}/{identifier}"


def split_key(key: str) -> tuple[str, str]:
    """Return the blueprint and the identifier of an entity's key."""
    blueprint, _, identifier = key.partition("/")
    return blueprint, identifier
