"""The check of a catalog during an apply, and what each function then knows of it."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from slipway.catalog.reading import read_folder
from slipway.config import load
from slipway.errors import CatalogRefused, ConfigurationError

from functions.check_catalog.handler import handler
from tests.catalogs.samples import ACME, changed
from tests.unit.conftest import POLICY, ROOT, put_catalog

Files = dict[str, bytes]


class Context:
    """Lambda's context object of an invocation."""

    function_name = "slipway-check_catalog"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-west-1:123456789012:function:slipway-check:live"
    aws_request_id = "00000000-0000-0000-0000-000000000000"


@pytest.fixture(autouse=True)
def account(aws: None) -> Iterator[None]:
    load.cache_clear()
    yield
    load.cache_clear()


def check(files: Mapping[str, bytes], policy: Mapping[str, Any] = POLICY) -> Any:
    context: Any = Context()
    return handler({"catalog_version": put_catalog(files), "policy": policy}, context)


def shipped() -> Files:
    return read_folder(ROOT / "catalog")


def test_shipped_catalog_passes_and_its_actions_are_returned() -> None:
    assert check(shipped()) == {
        "actions": [
            "create_bucket",
            "create_service",
            "delete_bucket",
            "delete_service",
            "downscale_service",
            "restart_service",
            "upscale_service",
        ]
    }


def edited(path: str, old: str, new: str) -> Callable[[Files], Files]:
    def edit(files: Files) -> Files:
        assert old.encode() in files[path]
        return {**files, path: files[path].replace(old.encode(), new.encode())}

    return edit


def without(path: str) -> Callable[[Files], Files]:
    return lambda files: {name: data for name, data in files.items() if name != path}


UPSCALE = "service/upscale_service/action.yaml"
RESOURCE, CREATE = "service/resource.yaml", "service/create_service/action.yaml"


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        pytest.param(edited(RESOURCE, "repository:", "repo:"), "repo", id="unknown key"),
        pytest.param(without("service/blueprint.json"), "blueprint.json", id="missing file"),
        pytest.param(edited(CREATE, ".inputs.owner", ".inputs.owner |"), "not jq", id="not jq"),
        pytest.param(edited(CREATE, ".inputs.owner", ".inputs.ownr"), "ownr", id="no such input"),
        pytest.param(edited(RESOURCE, "  image_tag:", "  image:"), "image", id="no such property"),
        pytest.param(
            edited("bucket/resource.yaml", "buckets/{team}/{name}/README.md", "apps/{name}/**"),
            "apps/{name}/**",
            id="overlapping patterns",
        ),
        pytest.param(
            edited(RESOURCE, "apps/{name}/**", "apps/{nam}/**"), "{nam}", id="no such part"
        ),
        pytest.param(
            edited("service/blueprint.json", '"replicas": {', '"replicas": {"enum": ["many"],'),
            "replicas",
            id="type that is not its source's",
        ),
        pytest.param(
            edited(RESOURCE, "repository: services", "repository: other"),
            "map of repositories has no 'other'",
            id="repository outside the map",
        ),
        pytest.param(without("service/delete_service/action.json"), "action.json", id="no form"),
        pytest.param(
            edited("bucket/resource.yaml", ".parts.team", ".parts.tem"), ".parts.tem", id="no part"
        ),
        pytest.param(
            edited(UPSCALE, "apps/{name}/common_values.json", "apps/common_values.json"),
            "is not one of the kind's files",
            id="path outside of the kind",
        ),
        pytest.param(
            edited("bucket/delete_bucket/action.yaml", "confirm:", "confirmation:"),
            "confirmation",
            id="unknown key of an action",
        ),
        pytest.param(edited(RESOURCE, "team:", "on:"), "resource.yaml", id="YAML 1.1 surprise"),
    ],
)
def test_fault_fails_the_apply_with_file_and_line(
    edit: Callable[[Files], Files], said: str
) -> None:
    with pytest.raises(CatalogRefused) as refused:
        check(edit(shipped()))

    assert said in str(refused.value)
    assert ".yaml:" in str(refused.value) or ".json:" in str(refused.value)


def test_path_that_the_create_does_not_write_fails_the_apply() -> None:
    repositories = {unit: {"name": f"acme/{unit}"} for unit in ("pay", "shop", "core")}
    policy = {**POLICY, "repositories": repositories, "limits": {}, "settings": {}}
    configure = "service/configure_service/action.yaml"

    with pytest.raises(CatalogRefused, match=rf"{configure}:\d+: .* has no 'deployment.teg'"):
        check(changed(ACME, configure, "deployment.image.tag", "deployment.teg"), policy)


def test_limit_with_an_unknown_key_is_a_fault() -> None:
    with pytest.raises(CatalogRefused, match="maximum"):
        check(shipped(), {**POLICY, "limits": {"upscale_service": {"maximum": 3}}})


def test_unusable_policy_fails_the_apply() -> None:
    with pytest.raises(ConfigurationError, match="repositories"):
        check(shipped(), {**POLICY, "repositories": {}})
