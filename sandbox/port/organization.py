"""The organisation: its document and its secrets."""

from typing import Any

from sqlalchemy import select

from sandbox.port.errors import not_found, taken
from sandbox.port.naming import timestamp
from sandbox.port.store import Secret, Setting
from sandbox.port.work import Work

Json = dict[str, Any]


def view(work: Work) -> Json:
    """The organisation's document."""
    row = work.db.get(Setting, "organization")
    own = {"id": work.settings.org_id, "name": work.settings.org_name, "featureFlags": []}
    return {**own, **(row.value if row else {})}


def update(work: Work, body: Json) -> None:
    """Set the given parts; settings are merged."""
    work.caller.require_admin()
    row = work.db.get(Setting, "organization")
    old: Json = row.value if row else {}
    merged = {**old, **body}
    if "settings" in body:
        merged["settings"] = {**old.get("settings", {}), **body["settings"]}
    work.db.merge(Setting(name="organization", value=merged))


def secrets(work: Work) -> list[Json]:
    """All secrets, without their values."""
    return [_secret(row) for row in work.db.scalars(select(Secret).order_by(Secret.name))]


def secret(work: Work, name: str) -> Json:
    """One secret, without its value.

    Raises:
        PortApiError: 404.
    """
    return _secret(_get(work, name))


def create_secret(work: Work, name: str, value: str, description: str | None) -> Json:
    """Make a secret.

    Raises:
        PortApiError: 409 `identifier_taken`.
    """
    work.caller.require_admin()
    if work.db.get(Secret, name):
        raise taken("Secret", name)
    now = timestamp()
    row = Secret(name=name, value=value, description=description, created_at=now, updated_at=now)
    work.db.add(row)
    return _secret(row)


def update_secret(work: Work, name: str, body: Json) -> Json:
    """Set a secret's value or description.

    Raises:
        PortApiError: 404.
    """
    work.caller.require_admin()
    row = _get(work, name)
    row.value = body.get("secretValue", row.value)
    row.description = body.get("description", row.description)
    row.updated_at = timestamp()
    return _secret(row)


def delete_secret(work: Work, name: str) -> None:
    """Remove a secret.

    Raises:
        PortApiError: 404.
    """
    work.caller.require_admin()
    work.db.delete(_get(work, name))


def _get(work: Work, name: str) -> Secret:
    row = work.db.get(Secret, name)
    if row is None:
        raise not_found("Secret", name)
    return row


def _secret(row: Secret) -> Json:
    described = {} if row.description is None else {"description": row.description}
    return {
        "secretName": row.name,
        **described,
        "createdAt": row.created_at,
        "updatedAt": row.updated_at,
    }
