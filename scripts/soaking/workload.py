"""Plan the requests and reactions of a soak from a seed. Pure."""

import random
from dataclasses import dataclass
from typing import Any, Literal

CREATE, UPSCALE, DOWNSCALE = "create_service", "upscale_service", "downscale_service"
DELETE, DECIDE = "delete_service", "decide_approval"
REPLICAS = 6

# Percentages of requests about services that were requested before.
_MIX = {CREATE: 12, UPSCALE: 42, DOWNSCALE: 34, DELETE: 12}
_FEWEST_SERVICES, _RUNS_OF_A_SERVICE = 8, 6
# So many services are created first; then every third request creates one, until all exist.
_FIRST, _NEW = 6, 3
_LONGEST_STEP = 2
# Every n-th request has one of these properties.
_WRONG, _DRY, _CANCELLED, _REDELIVERED, _IMPATIENT = 12, 20, 25, 4, 6

# Inputs that the form accepts and Slipway must refuse.
_WRONG_INPUTS: dict[str, tuple[dict[str, Any], ...]] = {
    CREATE: (
        {"common_values_yaml": f"replicas: {REPLICAS + 1}\n"},
        {"common_values_yaml": "queues: [orders\n"},
        {"common_values_yaml": "image: none\n"},
    ),
    UPSCALE: ({"step": 99},),
    DOWNSCALE: ({"step": 99},),
}


@dataclass(frozen=True)
class Ask:
    """One request, and the people's reactions to it.

    Attributes:
        number: counts the requests, from 1.
        action: identifier of the action.
        service: its service.
        inputs: of the form.
        environment: of the service, if the request creates it.
        harmless: whether it must change nothing: an invalid request, or a dry run.
        decision: of the approvers; `BOTH`: two concurrent ones; `NOTHING`: it expires.
        end: what a reviewer does with an open pull request.
        impatient: whether another change of the service may be in progress.
        hesitation: seconds that an approver, and then a reviewer, takes.
        redelivered_after: delays in seconds after which the message is delivered again.
        cancelled_after: seconds after which the requester ends the run in Port; None: never.
    """

    number: int
    action: str
    service: str
    inputs: dict[str, Any]
    environment: Literal["Test", "Production"]
    harmless: bool
    decision: Literal["APPROVE", "DECLINE", "BOTH", "NOTHING"]
    end: Literal["merge", "close"]
    impatient: bool
    hesitation: float
    redelivered_after: tuple[float, ...]
    cancelled_after: float | None


def plan(seed: int, runs: int, tag: str) -> list[Ask]:
    """Plan the requests, in an order in which most services are free.

    Args:
        seed: the same one gives the same requests.
        runs: how many.
        tag: put into the services' names, so that soaks of one sandbox stay apart.
    """
    chance = random.Random(seed)  # noqa: S311  it is to be repeatable
    number = min(runs, _FEWEST_SERVICES + runs // _RUNS_OF_A_SERVICE)
    services = [f"soak-{tag}-{n}" for n in range(1, number + 1)]
    asks, known = [], 0
    for count in range(1, runs + 1):
        # Services appear gradually, so that even an interrupted soak covers every kind of request.
        is_new = known < len(services) and (known < _FIRST or chance.randrange(_NEW) == 0)
        known += is_new
        asks.append(_ask(chance, count, CREATE if is_new else None, services[:known]))
    return asks


def _ask(chance: random.Random, number: int, action: str | None, services: list[str]) -> Ask:
    service = services[-1] if action else chance.choice(services)
    first = action is not None
    action = action or chance.choices(list(_MIX), list(_MIX.values()))[0]
    # By name, so that a service that is created again keeps its environment.
    environment: Literal["Test", "Production"] = "Production" if service[-1] in "02468" else "Test"
    inputs = _inputs(chance, action, service, environment)
    dry = not first and chance.randrange(_DRY) == 0
    wrong = not first and not dry and action in _WRONG_INPUTS and chance.randrange(_WRONG) == 0
    if dry:
        inputs["dry_run"] = True
    if wrong:
        inputs |= chance.choice(_WRONG_INPUTS[action])
    redelivered = chance.randrange(_REDELIVERED) == 0
    return Ask(
        number=number,
        action=action,
        service=service,
        inputs=inputs,
        environment=environment,
        harmless=dry or wrong,
        decision=chance.choices(("APPROVE", "DECLINE", "BOTH", "NOTHING"), (70, 12, 10, 8))[0],
        end="merge" if first else chance.choices(("merge", "close"), (80, 20))[0],
        impatient=not first and chance.randrange(_IMPATIENT) == 0,
        hesitation=chance.uniform(0, 4),
        redelivered_after=tuple(
            chance.uniform(0, 20) for _ in range(chance.randint(1, 3) if redelivered else 0)
        ),
        cancelled_after=chance.uniform(0, 10)
        if not first and chance.randrange(_CANCELLED) == 0
        else None,
    )


def _inputs(chance: random.Random, action: str, service: str, environment: str) -> dict[str, Any]:
    match action:
        case "create_service":
            return creation(service, environment)
        case "delete_service":
            return {"service_name": service}
    return {"step": chance.randint(1, _LONGEST_STEP)}


def creation(service: str, environment: str) -> dict[str, Any]:
    """Return the inputs of the form *Create New Service*."""
    return {
        "service_name": service,
        "owner": "developer@acme.example",
        "team": "payments",
        "project": "soak",
        "environment": environment,
        "service_type": "backend",
        "replicas": REPLICAS,
        "image_tag": "1.4.0",
        "values_format": "YAML",
        "common_values_yaml": "# typed by hand\nlog:\n  level: info\n",
    }


def as_creation(ask: Ask) -> Ask:
    """Return the request that creates the service, if it does not exist."""
    return Ask(
        **{
            **vars(ask),
            "action": CREATE,
            "inputs": creation(ask.service, ask.environment),
            "harmless": False,
        }
    )
