"""What a service's reviewed files say, as properties of its entity. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slipway.catalog.documents import Document, read_document
from slipway.errors import DocumentRefused
from slipway.github.models import ServiceFolder, service_folder

FILES = frozenset({"common_values.json", "common_values.yaml", "portData.json"})
# Property of the entity → path in the merged values.
_FROM_VALUES = {"replicas": "replicas", "image_tag": "image.tag"}


@dataclass(frozen=True)
class Said:
    """What files say.

    Attributes:
        properties: property → value.
        notes: what could not be read, as sentences.
    """

    properties: Mapping[str, Any]
    notes: tuple[str, ...] = ()


def read_values(folder: ServiceFolder) -> Said:
    """Read the number of replicas and the image tag; what is not certain is a note."""
    base = service_folder(folder.service)
    paths = [f"{base}/common_values.{extension}" for extension in ("json", "yaml")]
    there = [path for path in paths if path in folder.files]
    if len(there) != 1:
        which = "both are" if there else "neither is"
        return Said({}, (f"Of {' and '.join(paths)}, {which} there, so neither was read.",))
    path = there[0]
    if path not in folder.texts:
        return Said({}, (f"{path} is not a text of a reasonable size, so it was not read.",))
    try:
        document = read_document(folder.texts[path], "json" if path.endswith("json") else "yaml")
    except DocumentRefused as error:
        return Said({}, (f"Nothing was read from {path}: it {error.problem}.",))
    properties: dict[str, Any] = {}
    notes: list[str] = []
    for name, place in _FROM_VALUES.items():
        try:
            value = _read(document, name, place)
        except DocumentRefused as error:
            notes.append(f"'{name}' was left as it is: {path} {error.problem}.")
        else:
            properties |= {name: value} if value is not None else {}
    return Said(properties, tuple(notes))


def _read(document: Document, name: str, place: str) -> Any:
    value = document.read(place)
    if value is None:
        return None
    if name == "replicas":
        if type(value) is not int or value < 0:
            raise document.refuse(place, "must have a plain whole number as 'replicas'")
        return value
    # A chart renders 1.10 without quotes as 1.1, so a number with a fraction is not the tag.
    if isinstance(value, str) or type(value) is int:
        return str(value)
    raise document.refuse(place, "must have a text, in quotes, as 'image.tag'")


def changed_properties(
    wanted: Mapping[str, Any], known: Mapping[str, Any] | None
) -> dict[str, Any]:
    """What of `wanted` must be written.

    The cluster and the health checker may be faster than a report, or this is a second one: a
    service that is no longer pending is not set back to Progressing or OutOfSync.

    Args:
        wanted: property → value.
        known: the properties of the entity; None if there is no entity.
    """
    has = known or {}
    keep = {
        "health_status": wanted.get("health_status") == "Progressing"
        and has.get("health_status") not in {None, "Pending"},
        "sync_status": has.get("sync_status") is not None,
    }
    return {
        name: value
        for name, value in wanted.items()
        if has.get(name) != value and not keep.get(name, False)
    }
