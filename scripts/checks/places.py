"""Read the map of repositories, from the environment or the policy."""

from pydantic import TypeAdapter, ValidationError
from slipway.errors import ConfigurationError
from slipway.github.models import Place

from scripts.checks.aws import is_given, read_policy
from scripts.checks.result import Installation

VARIABLE = "GITHUB_REPOSITORIES"
_MAP: TypeAdapter[dict[str, Place]] = TypeAdapter(dict[str, Place])


def places(installation: Installation) -> dict[str, Place]:
    """Read the map of repositories, by key.

    Raises:
        ConfigurationError: it is missing, or is not a map of repositories.
    """
    text = installation.settings.get(VARIABLE)
    try:
        if text:
            return _MAP.validate_json(text)
        if is_given(installation):
            return _MAP.validate_python(read_policy(installation).get("repositories", {}))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "the map"
        raise ConfigurationError(
            f"{VARIABLE} is not a map of repositories ({where}: {first['msg']}). "
            "Write it as Terraform's github.repositories, in JSON."
        ) from None
    raise ConfigurationError(
        f"Set {VARIABLE} to Terraform's github.repositories in JSON, or set AWS credentials: the "
        "installation stores the map."
    )


def distinct(installation: Installation) -> dict[Place, frozenset[str]]:
    """Return each repository of the map, with its keys."""
    found: dict[str, tuple[Place, set[str]]] = {}
    for key, place in places(installation).items():
        found.setdefault(place.name.lower(), (place, set()))[1].add(key)
    return {place: frozenset(keys) for place, keys in found.values()}
