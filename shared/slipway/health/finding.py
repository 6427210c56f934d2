"""Represent the result of a probe, and the finding about the service.

Pure.
"""

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Literal

import jmespath  # type: ignore[import-untyped]  # it ships no types
from jmespath.exceptions import JMESPathError  # type: ignore[import-untyped]  # nor here
from pydantic import BaseModel, BeforeValidator, ConfigDict

from slipway.errors import UserError

MAX_PATH = 200
MAX_VALUE = 200
_SHOWN = 120
# Characters allowed in a JSON path. Full JMESPath could double a list forty times in 200
# characters; names and indexes can only reduce the document.
_PATH_PARTS = frozenset({"field", "subexpression", "index_expression", "index", "identity"})


# The kind of a finding that blames the network of the prober, not the service.
OWN_NETWORK = "own_network"


class FailureKind(StrEnum):
    """Why a probe has no answer."""

    REFUSED_URL = "refused_url"
    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    TIMEOUT = "timeout"
    TOO_LARGE = "too_large"
    NOT_HTTP = "not_http"
    REDIRECT = "redirect"
    ENCODED = "encoded"


@dataclass(frozen=True)
class Answered:
    """The health URL answered in full.

    Attributes:
        status: HTTP status.
        body: the received body, within the limit.
    """

    status: int
    body: bytes = field(repr=False)

    @property
    def excerpt(self) -> str:
        """The beginning of the body in one line, for people."""
        return shown(self.body[: 4 * _SHOWN].decode("utf-8", "replace"))


@dataclass(frozen=True)
class Failed:
    """The health URL was not probed, or its answer cannot be evaluated.

    Attributes:
        kind: what went wrong.
        sentence: the same for people.
    """

    kind: FailureKind
    sentence: str


ProbeResult = Answered | Failed


@dataclass(frozen=True)
class Expectation:
    """The answer of a healthy service.

    Attributes:
        status: the HTTP status; None: any 2xx.
        json_path: the place in the JSON body, see `JsonPath`; None: the body is ignored.
        json_value: the expected value there, see `matches`.
    """

    status: int | None = None
    json_path: "JsonPath | None" = None
    json_value: str = ""


_OLD = {"well": "healthy", "ill": "unhealthy"}


class Finding(BaseModel):
    """The finding of one probe.

    Attributes:
        state: `unknown` if the probe is inconclusive: it was never sent, or the prober's own
            network failed. Rows and executions from before 0.1.0 have `well` and `ill`.
        kind: `ok`, `status`, `json` or `OWN_NETWORK`, else a `FailureKind`.
        sentence: the same for people.
        url: the health URL that was probed; None: the service has none. A finding is
            obsolete if the service's URL has changed.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    state: Annotated[
        Literal["healthy", "unhealthy", "unknown"],
        BeforeValidator(lambda state: _OLD.get(state, state)),
    ]
    kind: str
    sentence: str
    url: str | None = None


class JsonPath:
    """A place in a JSON document: names and indexes, for example `a.b[0].c`.

    It is a subset of JMESPath (https://jmespath.org/specification.html). Names with characters
    other than letters, digits and underscores are quoted (`"up-time".seconds`). An index counts
    from 0, or from the end if it is negative. A missing place is null.

    Args:
        text: the path, at most 200 characters.

    Raises:
        UserError: it is not such a path.
    """

    def __init__(self, text: str) -> None:
        if len(text) > MAX_PATH:
            raise UserError(f"The JSON path has more than {MAX_PATH} characters.")
        try:
            expression = jmespath.compile(text)
        except (JMESPathError, ValueError, RecursionError):
            expression = None
        if expression is None or not _is_simple(expression.parsed):
            raise UserError(
                f"The JSON path '{shown(text)}' is not valid: use names and indexes, for example "
                "checks[0].status."
            )
        self.text = text
        self._expression = expression

    def find(self, document: object) -> object:
        """Return the value at this place; None if it is missing or null."""
        found: object = self._expression.search(document)
        return found

    def __eq__(self, other: object) -> bool:
        return isinstance(other, JsonPath) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)


def evaluate(result: ProbeResult, expectation: Expectation) -> Finding:
    """Compare the result of a probe with the answer of a healthy service."""
    if isinstance(result, Failed):
        state: Literal["unhealthy", "unknown"] = (
            "unknown" if result.kind is FailureKind.REFUSED_URL else "unhealthy"
        )
        return Finding(state=state, kind=result.kind.value, sentence=result.sentence)
    expected = expectation.status
    if (result.status != expected) if expected else not 200 <= result.status < 300:
        wanted = expected or "a 2xx"
        answer = f" Answer: {result.excerpt}" if result.excerpt else ""
        return _unhealthy(
            "status", f"The health URL answered {result.status}, not {wanted}.{answer}"
        )
    if expectation.json_path is not None:
        fault = _json_fault(result.body, expectation.json_path, expectation.json_value)
        if fault:
            return _unhealthy("json", f"The health URL answered {result.status}, but {fault}.")
    return Finding(state="healthy", kind="ok", sentence=f"The health URL answered {result.status}.")


def matches(found: object, expected: str) -> bool:
    """Return whether a value of a JSON document equals the expected text.

    Strings are compared directly. Numbers, true, false and null are compared as JSON, so `2` is 2.0
    but never true. Objects and lists never equal a text.
    """
    if isinstance(found, str):
        return found == expected
    try:
        wanted = _read_json(expected)
    except ValueError:
        return False
    return same_scalar(found, wanted)


def same_scalar(one: object, other: object) -> bool:
    """Return whether two JSON scalars are equal; unlike Python, true is not 1."""
    match one, other:
        case (bool(), _) | (_, bool()) | (None, _) | (_, None):
            return one is other
        case (int() | float(), int() | float()) | (str(), str()):
            return one == other
    return False


def shown(text: str) -> str:
    """Shorten untrusted text to one printable line."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * _SHOWN]).split())
    return line if len(line) <= _SHOWN else line[:_SHOWN] + "…"


def _unhealthy(kind: str, sentence: str) -> Finding:
    return Finding(state="unhealthy", kind=kind, sentence=sentence)


def _json_fault(body: bytes, path: JsonPath, value: str) -> str:
    try:
        document = _read_json(body.decode("utf-8"))
    except UnicodeDecodeError:
        return "its body is not UTF-8"
    except ValueError:
        return "its body is not JSON"
    found = path.find(document)
    if matches(found, value):
        return ""
    text = shown(json.dumps(found, ensure_ascii=False)[: 4 * _SHOWN])
    return f"'{shown(path.text)}' is {text}, not {shown(value)}"


def _read_json(text: str) -> Any:
    """Read JSON.

    Raises:
        ValueError: it is not JSON, nests too deeply, or has a number that is too large.
    """
    try:
        return json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _is_simple(node: dict[str, Any]) -> bool:
    nodes = [node]
    while nodes:
        node = nodes.pop()
        if node["type"] not in _PATH_PARTS:
            return False
        nodes += node["children"]
    return True
