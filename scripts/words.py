"""Says which request a run is, in the words of the person who made it."""

from slipway.changes.text import BLUEPRINT
from slipway.port.client import PortClient
from slipway.port.models import Run


def request_of(run: Run, port: PortClient) -> str:
    """Name a run's request: `Upscale service for checkout in Production (r_…)`.

    Args:
        run: the run.
        port: gives the service, which knows its environment.
    """
    words = run.action.replace("_", " ").capitalize()
    service = run.entity or run.properties.get("service_name")
    if not service:
        return f"{words} ({run.id})"
    entity = port.get_entity(BLUEPRINT, service)
    properties = entity.properties if entity else run.properties
    environment = properties.get("environment")
    place = f" in {environment}" if environment else ""
    return f"{words} for {service}{place} ({run.id})"
