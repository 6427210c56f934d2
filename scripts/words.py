"""Describe which request a run is, in the requester's words."""

from slipway.port.client import PortClient
from slipway.port.models import Run


def request_of(run: Run, port: PortClient) -> str:
    """Name a run's request: `Upscale service for checkout in Production`.

    Args:
        run: the run.
        port: gives the entity, which knows its environment.
    """
    words = run.action.replace("_", " ").capitalize()
    entity = None
    if run.entity and run.blueprint:
        entity = port.get_entity(run.blueprint, run.entity)
    properties = entity.properties if entity else run.properties
    environment = properties.get("environment")
    place = f" in {environment}" if environment else ""
    about = f" for {run.entity}" if run.entity else ""
    return f"{words}{about}{place} ({run.id})"
