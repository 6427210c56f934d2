"""Strategies that mutate real input: the bytes of a text, and the structure of its JSON.

`FUZZ=20 make contract` tries twenty times as many examples.
"""

import copy
import json
import os
from random import Random
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

_FACTOR = int(os.environ.get("FUZZ", "1"))

# Values that have caused faults in parsers, databases, paths, logs and pages.
NASTY: list[Any] = [
    None, True, False, 0, -1, 1.5, 1e308, float("inf"), float("nan"), 10**400, -(2**63), "", " ",
    ".", "..", "../..", "../../.github/workflows/x.yml", "a/../../b", "..\\..\\x", "/etc/passwd",
    "apps", ".git", "my-service/..", "my-service\n", "MY-SERVICE", "my-ſervice", "\u212aube",
    "a" * 64, "a" * 3000, "é" * 2100, "\ud800", "x\udfffy", "\x00", "a\x00b", "\u202eabc", "\ufeff",
    "\u2028", "\r\nX-Injected: 1", "<script>alert(1)</script>", "--> <b>", "`", "@everyone",
    "{{ .secrets }}", "${{ secrets.PORT }}", "%00", "%2e%2e%2f", "r_", "r_1", "run_ended", "KAFKA",
    "9999-99-99T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59",
    "2026-11-23T10:00:00", [], {}, [None], {"": None}, [[]] * 3, {"identifier": {}},
    "a: &a [*a]", "? [[a]]: b", "replicas: 0x" + "f" * 5000, "[" * 2000, '{"a":' * 2000,
]  # fmt: skip


def examples(number: int) -> settings:
    """Run a number of examples, or a multiple of it.

    The examples share the fixtures, so each run, service and request needs its own name.
    """
    return settings(
        max_examples=number * _FACTOR,
        # Shrinking gives no readable mutation, and each attempt costs as much as an example.
        phases=[Phase.explicit, Phase.reuse, Phase.generate],
        report_multiple_bugs=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


def mutated(*seeds: Any) -> st.SearchStrategy[Any]:
    """Draw one of these JSON values with up to four mistakes in its structure."""
    return st.builds(_mutate, st.sampled_from(seeds), st.randoms(use_true_random=False))


def mutated_bytes(*seeds: Any) -> st.SearchStrategy[bytes]:
    """Draw one of these JSON values as text, with mutated bytes or structure."""
    structural = mutated(*seeds).map(to_bytes)
    plain = st.sampled_from(seeds).map(to_bytes)
    return structural | st.builds(_corrupt, plain, st.randoms(use_true_random=False))


def to_bytes(value: Any) -> bytes:
    """Write JSON as a careless producer does, with `NaN` and lone surrogates."""
    return json.dumps(value).encode()


def _mutate(seed: Any, random: Random) -> Any:
    root = [copy.deepcopy(seed)]
    for _ in range(random.randint(1, 4)):
        places = list(_places(root))
        container, key = random.choice(places)
        match random.randrange(8):
            case 0 | 1 | 2:
                container[key] = copy.deepcopy(random.choice(NASTY))
            case 3 if container is not root:
                del container[key]
            case 4 if isinstance(container, dict):
                container[str(random.choice(NASTY))] = container.pop(key)
            case 5:
                other, its_key = random.choice(places)
                container[key] = copy.deepcopy(other[its_key])
            case 6:
                container[key] = [container[key]]
            case 7:
                container[key] = {random.choice(["identifier", "name", "$ref"]): container[key]}
    return root[0]


def _places(value: Any) -> Any:
    """Return every place of a structure, as its container and key."""
    waiting = [value]
    while waiting:
        container = waiting.pop()
        keys = range(len(container)) if isinstance(container, list) else list(container)
        for key in keys:
            yield container, key
            if isinstance(container[key], dict | list):
                waiting.append(container[key])


def _corrupt(seed: bytes, random: Random) -> bytes:
    data = bytearray(seed)
    for _ in range(random.randint(1, 6)):
        at = random.randint(0, max(0, len(data) - 1))
        match random.randrange(6):
            case 0:
                data[at : at + 1] = bytes([random.randrange(256)])
            case 1:
                del data[at : at + random.randint(1, 20)]
            case 2:
                data[at:at] = data[at : at + random.randint(1, 40)] * random.randint(1, 3)
            case 3:
                data[at:at] = random.choice([b"\\ud800", b"\xff\xfe", b"\x00", b"{", b"[" * 50])
            case 4:
                data[at : at + 1] = random.choice([b"NaN", b"1e999", b"-", b'"', b"\\", b","])
            case 5:
                del data[at:]
    return bytes(data)
