"""No path writes outside the service's own folder."""

import contextlib
import os
import posixpath
import subprocess
from ntpath import normpath as windows_path
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import SecretStr
from slipway.config import GitHubConfig, GitHubCredentials
from slipway.errors import SlipwayError
from slipway.github.models import Change, Place, Snapshot, is_plain
from slipway.github.repository import ServicesRepository
from slipway.github.roll_back import NothingToRollBack, texts_before

from tests.entities import service_files
from tests.property.hostile.mutation import examples
from tests.property.hostile.outside import AnyGitHub

pytestmark = pytest.mark.waits

PIECES = [
    "apps", "shop", "/", "/", "/", ".", "..", "\\", ".git", ".GIT", "git~1", ".g\u200cit", ".git ",
    ".git::$INDEX_ALLOCATION", "\x00", "\n", "C:", "~", "x.json", "Shop", "ſhop", "\u2215",
    "\uff0f", "%2e%2e", "\u202e", "config", "\ud800", " ", "other",
]  # fmt: skip
paths = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)
inside = paths.map(lambda path: f"apps/shop/{path}")


def change(path: str, text: str | None) -> Change:
    return Change(
        entity=service_files("shop"),
        branch="slipway/create_service/r_1",
        title="t",
        body="b",
        files={path: text},
    )


@pytest.fixture
def github() -> Any:
    with AnyGitHub().running() as running:
        yield running


@given(path=paths | inside, text=st.sampled_from(["text", None]))
@example(path="apps/shop/..\\..\\.github\\workflows\\x.yml", text="x")
@example(path="apps/shop/.g\u200cit/config", text="x")
@example(path="apps/shop/GIT~1/config", text="x")
@examples(150)
def test_proposed_files_stay_within_the_folder(
    github: AnyGitHub, path: str, text: str | None
) -> None:
    config = GitHubConfig.model_validate({"GITHUB_API_URL": github.url, "GITHUB_SECRET_ID": "s"})
    token = GitHubCredentials(token=SecretStr("ghp_first"))
    github.requests.clear()

    with contextlib.suppress(ValueError, SlipwayError):
        ServicesRepository(
            config, Place(name="acme/services"), lambda _: token, retry_budget=0
        ).propose(change(path, text))

    for (element,) in github.written():
        sent = element["path"]
        assert sent.startswith("apps/shop/")
        assert posixpath.normpath(sent) == sent
        if "contents" in element:
            assert windows_path(sent).startswith("apps\\shop\\")
            assert not any(ord(c) < 32 for c in sent)


@given(path=inside)
@examples(60)
def test_plain_path_is_valid_in_git_and_within_the_folder(tmp_path: Path, path: str) -> None:
    if not is_plain(path):
        return
    with contextlib.suppress(FileExistsError):
        (tmp_path / ".git").mkdir()
    protect = ["-c", "core.protectHFS=true", "-c", "core.protectNTFS=true"]
    environment = {**os.environ, "GIT_DIR": str(tmp_path / "repository")}
    subprocess.run(["git", "init", "-q"], env=environment, check=True)

    taken = subprocess.run(
        ["git", *protect, "update-index", "--index-info"],
        input=f"100644 {'a' * 40}\t{path}\n".encode(),
        env=environment,
        capture_output=True,
        check=False,
    )

    assert taken.returncode == 0, taken.stderr
    assert Path(os.path.normpath(tmp_path / path)).is_relative_to(tmp_path / "apps" / "shop")


@given(path=inside)
@examples(100)
def test_rollback_restores_a_removed_file_only_where_safe(
    path: str,
) -> None:
    before = Snapshot(commit="b", files={path: "s"}, texts={path: "text"})
    now = Snapshot(commit="n", files={"apps/shop/x": "y"}, texts={})

    found = texts_before({path: None}, before, now)

    assert isinstance(found, NothingToRollBack) or change(path, "text").files == found
