"""Read GitHub's and Port's descriptions for the check of exchanges."""

import json
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import graphql
from ruamel.yaml import YAML

from tests.references.description import Description

Json = dict[str, Any]
ROOT = Path(__file__).resolve().parents[2]
_PORT = Path(__file__).resolve().parent / "port"
# https://docs.github.com/rest/using-the-rest-api/troubleshooting-the-rest-api
_GITHUB_GENERAL = (401, 403, 404, 422, 429)


@cache
def github() -> Description:
    """Read GitHub's OpenAPI description, corrected where GitHub's own pages differ."""
    document = json.loads((_installed() / "openapi.json").read_text())
    _correct(document)
    error = {"$ref": "#/components/schemas/basic-error"}
    return Description(document, {status: dict(error) for status in _GITHUB_GENERAL})


@cache
def github_graphql() -> graphql.GraphQLSchema:
    """Read GitHub's GraphQL schema."""
    text = (_installed() / "schema.graphql").read_text()
    return graphql.build_schema(text, assume_valid=True, assume_valid_sdl=True, no_location=True)


@cache
def port() -> Description:
    """Read our description of the routes of Port's API that Slipway uses."""
    document: Json = {"openapi": "3.1.0", "paths": {}, "components": {}}
    reader = YAML(typ="safe")
    for file in sorted(_PORT.glob("*.yaml")):
        part = reader.load(file)
        document["paths"] |= part.get("paths", {})
        for kind, named in part.get("components", {}).items():
            document["components"].setdefault(kind, {}).update(named)
    # A YAML alias is one object in two places, and both would be changed in place.
    document = json.loads(json.dumps(document))
    refusal = {"$ref": "#/components/schemas/refusal"}
    return Description(document, {status: dict(refusal) for status in (401, 413, 429)})


def _installed() -> Path:
    command = [ROOT / "scripts" / "github_descriptions"]
    found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return Path(found.stdout.strip())


def _correct(document: Json) -> None:
    """Extend the description where GitHub's pages (named below) allow more."""
    schemas = document["components"]["schemas"]
    # The body of each error contains the status, as in a basic error.
    for error in (
        schemas["validation-error"],
        schemas["validation-error-simple"],
        *_inline(document),
    ):
        error["properties"].setdefault("status", {"type": "string"})
    # A range, as `>=2026-01-01`: https://docs.github.com/rest/actions/workflow-runs
    del document["components"]["parameters"]["created"]["schema"]["format"]
    # A branch rule combines a rule and its ruleset (`allOf`), so neither is complete alone.
    for name in (name for name in schemas if name.startswith("repository-rule-")):
        schemas[name].setdefault("additionalProperties", True)
    # Null for a label without a description: https://docs.github.com/rest/issues/labels
    pull = schemas["pull-request-simple"]["properties"]
    pull["labels"]["items"]["properties"]["description"]["nullable"] = True


def _inline(document: Json) -> Iterator[Json]:
    """Return the schemas of errors that only one operation has."""
    for item in document["paths"].values():
        for operation in item.values():
            responses = operation.get("responses", {}) if isinstance(operation, dict) else {}
            for status, response in responses.items():
                content = response.get("content", {}).get("application/json", {})
                if status >= "400" and "properties" in content.get("schema", {}):
                    yield content["schema"]
