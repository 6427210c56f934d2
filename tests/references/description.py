"""Check exchanges against an OpenAPI description: routes, parameters, bodies, statuses."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from tests.references.recorder import Exchange

Json = dict[str, Any]
_DOCUMENT = "urn:description"
_METHODS = ("get", "put", "post", "patch", "delete")
_NAMES = re.compile(r"\{([^}]+)\}")


@dataclass(frozen=True)
class Route:
    """One operation of a description.

    Attributes:
        method: in capitals.
        path: as the description writes it, as `/users/{user}`.
    """

    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class Description:
    """An OpenAPI description, of version 3.0 or 3.1.

    Objects are closed: a property that the description does not name is a fault, unless the
    description allows others. This finds names that a stand-in invents or that a server ignores.

    Args:
        document: the description; it is changed to JSON Schema's own words.
        general: statuses that every operation may answer, with the schema of their bodies.
    """

    def __init__(self, document: Json, general: Mapping[int, Json]) -> None:
        self._document = document
        self._general = general
        composed = set(_composed(document))
        for node in (document, *general.values()):
            _translate(node)
        for name in composed:
            # A schema of a composition stays open, because its users add properties.
            schema = document["components"]["schemas"][name]
            for each in (schema, *schema.get("anyOf", [])):
                if each.get("additionalProperties") is False:
                    del each["additionalProperties"]
        resource = DRAFT202012.create_resource(document)
        self._registry: Registry[Any] = Registry().with_resource(_DOCUMENT, resource)
        self._validators: dict[int, Draft202012Validator] = {}

    @cached_property
    def _patterns(self) -> dict[Route, re.Pattern[str]]:
        found = {
            route: self._pattern(route)
            for path, item in self._document["paths"].items()
            for route in (Route(method.upper(), path) for method in item.keys() & set(_METHODS))
        }
        # A literal part takes precedence over a parameter, also over one with several parts.
        order = {route: (route.path.count("{"), -route.path.count("/")) for route in found}
        return dict(sorted(found.items(), key=lambda each: order[each[0]]))

    @property
    def routes(self) -> set[Route]:
        """Return all operations."""
        return set(self._patterns)

    def route(self, method: str, path: str) -> Route | None:
        """Return the operation of a path without its query, or None."""
        fitting = (
            route
            for route, pattern in self._patterns.items()
            if route.method == method and pattern.fullmatch(path)
        )
        return next(fitting, None)

    def faults(self, exchange: Exchange, path: str) -> Iterator[str]:
        """Find the faults of an exchange.

        Args:
            exchange: the request and its answer.
            path: the request's path below the description's server.
        """
        route = self.route(exchange.method, path)
        if route is None:
            yield f"{exchange.method} {path}: no such route"
            return
        for fault in (
            *self._path_faults(route, path),
            *self._query_faults(route, urlsplit(exchange.url).query),
            *self._sent_faults(route, exchange),
            *self._answer_faults(route, exchange),
        ):
            yield f"{route}: {fault}"

    def check(self, schema: str, value: Any) -> Iterator[str]:
        """Find the faults of a value by a schema of the components."""
        yield from self._check(schema, self._document["components"]["schemas"][schema], value)

    def _operation(self, route: Route) -> Json:
        operation: Json = self._document["paths"][route.path][route.method.lower()]
        return operation

    def _parameters(self, route: Route, place: str) -> dict[str, Json]:
        shared = self._document["paths"][route.path].get("parameters", [])
        own = self._operation(route).get("parameters", [])
        found = [self._resolved(each) for each in (*shared, *own)]
        return {each["name"]: each for each in found if each["in"] == place}

    def _resolved(self, item: Json) -> Json:
        while "$ref" in item:
            found: Any = self._document
            for part in item["$ref"].removeprefix(f"{_DOCUMENT}#/").split("/"):
                found = found[part]
            item = found
        return item

    def _pattern(self, route: Route) -> re.Pattern[str]:
        known = self._parameters(route, "path")
        parts = _NAMES.split(route.path)
        # GitHub marks the parameters that hold a path of their own.
        parts[1::2] = [
            "(.+)" if known[name].get("x-multi-segment") else "([^/]+)" for name in parts[1::2]
        ]
        parts[::2] = map(re.escape, parts[::2])
        return re.compile("".join(parts))

    def _path_faults(self, route: Route, path: str) -> Iterator[str]:
        known = self._parameters(route, "path")
        found = self._patterns[route].fullmatch(path)
        given = found.groups() if found else ()
        for name, value in zip(_NAMES.findall(route.path), given, strict=True):
            schema = known[name]["schema"]
            yield from self._check(f"path {name}", schema, _read(unquote(value), schema))

    def _query_faults(self, route: Route, query: str) -> Iterator[str]:
        sent = parse_qs(query, keep_blank_values=True)
        known = self._parameters(route, "query")
        for name, parameter in known.items():
            if parameter.get("required") and name not in sent:
                yield f"query: {name} is required"
        for name, values in sent.items():
            if name not in known:
                yield f"query: {name} is not described"
                continue
            schema = self._resolved(known[name]["schema"])
            given = [_read(each, schema.get("items", schema)) for each in values]
            value = given if schema.get("type") == "array" else given[-1]
            yield from self._check(f"query {name}", schema, value)

    def _sent_faults(self, route: Route, exchange: Exchange) -> Iterator[str]:
        body = self._resolved(self._operation(route).get("requestBody", {}))
        if not exchange.sent:
            if body.get("required"):
                yield "request: a body is required"
        elif not body:
            yield "request: no body is described"
        else:
            schema = body["content"]["application/json"]["schema"]
            yield from self._check("request", schema, json.loads(exchange.sent))

    def _answer_faults(self, route: Route, exchange: Exchange) -> Iterator[str]:
        what = f"answer {exchange.status}"
        described = self._operation(route)["responses"].get(str(exchange.status))
        general = self._general.get(exchange.status)
        content = self._resolved(described or {}).get("content", {})
        if not content and general:
            content = {"application/json": {"schema": general}}
        elif described is None:
            yield f"{what}: is not described"
            return
        if not exchange.answered:
            if content:
                yield f"{what}: has no body"
        elif exchange.content_type not in content:
            yield f"{what}: {exchange.content_type or 'a body'} is not described"
        elif schema := content[exchange.content_type].get("schema"):
            yield from self._check(what, schema, json.loads(exchange.answered))

    def _check(self, what: str, schema: Json, value: Any) -> Iterator[str]:
        validator = self._validators.get(id(schema))
        if validator is None:
            validator = self._validators[id(schema)] = Draft202012Validator(
                schema,
                registry=self._registry,
                format_checker=Draft202012Validator.FORMAT_CHECKER,
            )
        for error in validator.iter_errors(value):
            yield from (f"{what}: {text}" for text in _told(error))


def _read(text: str, schema: Json) -> Any:
    """Read a parameter as a value of its type."""
    kind = schema.get("type")
    if kind in {"integer", "number", "boolean"}:
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def _translate(node: Any, *, part: bool = False) -> None:
    """Turn OpenAPI's words into JSON Schema's in place, and close objects.

    Args:
        node: a part of the description.
        part: whether the node is one of several schemas that hold together (`allOf`).
    """
    if isinstance(node, list):
        for each in node:
            _translate(each, part=part)
    if not isinstance(node, dict):
        return
    if isinstance(node.get("$ref"), str):
        node["$ref"] = f"{_DOCUMENT}{node['$ref']}"
    for key, value in node.items():
        if key not in {"example", "examples", "default", "enum"}:
            _translate(value, part=key == "allOf")
    named = isinstance(node.get("properties"), dict) and isinstance(node.get("type"), str | list)
    composed = node.keys() & {"additionalProperties", "allOf", "anyOf", "oneOf"}
    if named and not composed and not part:
        node["additionalProperties"] = False
    if node.get("nullable") is True:
        del node["nullable"]
        before = dict(node)
        node.clear()
        node["anyOf"] = [before, {"type": "null"}]


def _composed(node: Any, *, part: bool = False) -> Iterator[str]:
    """Find the schemas that are combined with others (`allOf`), by name."""
    if isinstance(node, list):
        for each in node:
            yield from _composed(each, part=part)
    elif isinstance(node, dict):
        if part and isinstance(ref := node.get("$ref"), str):
            yield ref.rpartition("/")[2]
        for key, value in node.items():
            yield from _composed(value, part=key == "allOf")


def _told(error: ValidationError) -> Iterator[str]:
    """Describe an error; for a choice, describe the alternative that fits best."""
    alternatives: dict[Any, list[ValidationError]] = {}
    for each in error.context or ():
        alternatives.setdefault(each.schema_path[0], []).append(each)
    if not alternatives:
        place = re.sub(r"\[[0-9]+\]", "[*]", error.json_path)
        yield f"{place}: {error.message[:200]}"
        return
    for each in min(alternatives.values(), key=_distance):
        yield from _told(each)


def _distance(errors: list[ValidationError]) -> tuple[bool, int]:
    """Rank alternatives: a value of another type is the farthest from a schema."""
    other = any(each.validator == "type" and not each.relative_path for each in errors)
    return other, len(errors)
