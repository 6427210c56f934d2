"""Valid changes, and git's names of contents."""

import pytest
from slipway.github.models import Change, blob_sha

from tests.entities import service_files


def change(path: str) -> Change:
    return Change(
        entity=service_files("shop"),
        branch="slipway/upscale_service/r_1",
        title="t",
        body="b",
        files={path: ""},
    )


@pytest.mark.parametrize(
    "path",
    [
        "apps/other/x",
        "apps/shop/../x",
        "apps/shop/a/../../x",
        "apps/shop/..",
        "apps/shop/./a",
        "apps/shop",
        "apps/shop/",
        "apps/shop/a/",
        "apps/shop/a//b",
        "apps/shop//etc/passwd",
        "apps/shop2/a",
        "x",
        "/x",
        "/apps/shop/a",
        "",
    ],
)
def test_change_refuses_a_path_outside_its_folder(path: str) -> None:
    with pytest.raises(ValueError, match="is not a file of Service"):
        change(path)


@pytest.mark.parametrize("path", ["a", "a/b/c.yaml", ".hidden", "a/.hidden", "..a", "a b/ö"])
def test_change_accepts_a_path_below_its_folder(path: str) -> None:
    assert list(change(f"apps/shop/{path}").files) == [f"apps/shop/{path}"]


@pytest.mark.parametrize(
    ("text", "sha"),
    [
        ("", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"),
        ("hello\n", "ce013625030ba8dba906f756967f9e9ca394464a"),
        ("ö\n", "d3b4b915a14a3f23f16bd03fea4121bfc9155404"),
    ],
)
def test_blob_sha_is_equal_to_that_of_git(text: str, sha: str) -> None:
    assert blob_sha(text) == sha
