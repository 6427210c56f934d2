"""The limits of reading a service's folder, with a real HTTP server as GitHub."""

import base64
from typing import Any

import pytest
from pydantic import SecretStr
from slipway.config import GitHubCredentials
from slipway.errors import GitHubError, GitHubUnavailable, UserError
from slipway.github.folder import MAX_TEXT_BYTES, MAX_TEXTS, Choose, everything

from tests.entities import named, service_files
from tests.scripted import Answer
from tests.unit.github.conftest import SHA, FakeGitHub, repository

pytestmark = pytest.mark.waits

FOLDER = "GET /contents/apps/shop"


def listed(github: FakeGitHub, path: str, size: int = 5, kind: str = "file") -> dict[str, Any]:
    """Make an entry of the folder; its blob is its path in hexadecimal."""
    sha = path.encode().hex()
    blob = {"sha": sha, "content": base64.b64encode(path.encode()).decode(), "encoding": "base64"}
    github.script(f"GET /git/blobs/{sha}", (200, blob, {}))
    return {
        "type": kind,
        "path": f"apps/shop/{path}",
        "name": path,
        "sha": sha,
        "size": size,
        "download_url": f"https://github.test/{path}",
    }


def read(github: FakeGitHub, choose: Choose = everything) -> dict[str, str]:
    return dict(repository(github, retry_budget=0.2).read(service_files("shop"), choose).texts)


def test_only_a_large_file_is_read_without_its_text(
    github: FakeGitHub,
) -> None:
    large = listed(github, "a.json", MAX_TEXT_BYTES + 1)
    github.script(FOLDER, (200, [large, listed(github, "b"), listed(github, "c")], {}))

    assert read(github) == {"apps/shop/b": "b", "apps/shop/c": "c"}


def test_texts_are_read_up_to_the_total_limit(
    github: FakeGitHub,
) -> None:
    half = MAX_TEXT_BYTES // 2
    entries = [listed(github, name, half) for name in "abc"]
    github.script(FOLDER, (200, entries, {}))

    folder = repository(github).read(service_files("shop"), everything)

    assert list(folder.texts) == ["apps/shop/a", "apps/shop/b"]
    assert len(folder.files) == 3


def test_files_of_the_folder_itself_are_read_first(
    github: FakeGitHub,
) -> None:
    below = {"type": "dir", "path": "apps/shop/a", "name": "a", "sha": SHA, "size": 0}
    tree = [
        {"path": f"f{number}", "type": "blob", "mode": "100644", "sha": "aa", "size": 1}
        for number in range(MAX_TEXTS + 5)
    ]
    github.script(FOLDER, (200, [below, listed(github, "portData.json")], {}))
    github.script(
        f"GET /git/trees/{SHA}", (200, {"sha": SHA, "tree": tree, "truncated": False}, {})
    )
    github.script("GET /git/blobs/aa", (200, {"sha": "aa", "content": ""}, {}))

    folder = repository(github).read(service_files("shop"), everything)

    assert "apps/shop/portData.json" in folder.texts
    assert (len(folder.files), len(folder.texts)) == (MAX_TEXTS + 6, MAX_TEXTS)


def test_unwanted_files_do_not_count_against_the_limits(github: FakeGitHub) -> None:
    entries = [listed(github, "a", MAX_TEXT_BYTES), listed(github, "wanted")]
    github.script(FOLDER, (200, entries, {}))

    assert read(github, named("wanted")) == {"apps/shop/wanted": "wanted"}
    # Reference, folder, file.
    assert len(github.requests) == 3


def test_incomplete_folder_listing_is_refused(github: FakeGitHub) -> None:
    github.script(FOLDER, (200, [listed(github, f"f{number}") for number in range(1000)], {}))

    with pytest.raises(UserError, match="'apps/shop' has more files than GitHub lists"):
        read(github)


def test_truncated_tree_is_refused(github: FakeGitHub) -> None:
    below = {"type": "dir", "path": "apps/shop/a", "name": "a", "sha": SHA, "size": 0}
    github.script(FOLDER, (200, [below], {}))
    github.script(f"GET /git/trees/{SHA}", (200, {"sha": SHA, "tree": [], "truncated": True}, {}))

    with pytest.raises(UserError, match="'apps/shop/a' has more files"):
        read(github)


def test_rotated_credentials_are_replaced_when_read(github: FakeGitHub) -> None:
    refused: Answer = (401, {"message": "Bad credentials"}, {})
    github.script(FOLDER, refused, (200, [listed(github, "a")], {}))
    asked: list[bool] = []

    def credentials(fresh: bool) -> GitHubCredentials:
        asked.append(fresh)
        return GitHubCredentials(token=SecretStr("ghp_token"))

    folder = repository(github, credentials).read(service_files("shop"), everything)

    assert folder.texts == {"apps/shop/a": "a"}
    assert asked == [False, True]


@pytest.mark.parametrize(
    ("status", "raised"), [(401, GitHubError), (403, GitHubError), (502, GitHubUnavailable)]
)
def test_read_error_has_the_type_for_its_status(
    github: FakeGitHub, status: int, raised: type[Exception]
) -> None:
    github.script(FOLDER, (status, {"message": "Nope"}, {}))

    with pytest.raises(raised):
        read(github)


def test_missing_base_branch_is_not_read_as_an_empty_folder(
    github: FakeGitHub,
) -> None:
    github.script("GET /git/ref/heads/main", (404, {"message": "Not Found"}, {}))

    with pytest.raises(GitHubError, match="404.*read the files of Service 'shop'"):
        read(github)
