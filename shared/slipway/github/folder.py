"""Read an entity's files at one commit, with few requests."""

import base64
from collections.abc import Callable, Iterable, Mapping

from github import GithubException
from github.ContentFile import ContentFile
from github.Repository import Repository

from slipway.errors import UserError
from slipway.github.models import EntityFiles, Snapshot

MAX_TEXTS = 100
MAX_TEXT_BYTES = 1024 * 1024
# https://docs.github.com/rest/repos/contents#get-repository-content
_MAX_LISTED = 1000


# Selects, from existing paths, those whose texts are needed.
Choose = Callable[[Iterable[str]], Iterable[str]]


def everything(paths: Iterable[str]) -> Iterable[str]:
    """Select all texts."""
    return paths


def nothing(_paths: Iterable[str]) -> Iterable[str]:
    """Select no text."""
    return ()


def read_files(
    repository: Repository, entity: EntityFiles, commit: str, choose: Choose
) -> Snapshot:
    """Read an entity's files at a commit.

    Args:
        repository: the repository.
        entity: the entity.
        commit: the commit's SHA.
        choose: selects the files whose texts are needed.

    Raises:
        UserError: GitHub does not list a whole folder.
    """
    files: dict[str, str] = {}
    sizes: dict[str, int] = {}
    for folder in entity.folders:
        for entry in _entries(repository, folder, commit):
            if entry.type == "dir":
                _add_below(repository, entry, files, sizes)
                continue
            files[entry.path] = entry.sha
            # GitHub also lists a submodule as a file, but it has no download.
            if entry.type == "file" and entry.download_url:
                sizes[entry.path] = entry.size
    own = {path: sha for path, sha in files.items() if entity.owns(path)}
    wanted = set(choose(own))
    sizes = {path: size for path, size in sizes.items() if path in wanted and path in own}
    texts = _texts(repository, {path: own[path] for path in _chosen(sizes)})
    return Snapshot(commit=commit, files=own, texts=texts)


def _entries(repository: Repository, path: str, commit: str) -> list[ContentFile]:
    try:
        entries = repository.get_contents(path, ref=commit)
    except GithubException as error:
        if error.status != 404:
            raise
        return []
    if not isinstance(entries, list):
        return []  # A file of this name instead of a folder.
    if len(entries) >= _MAX_LISTED:
        raise _too_large(path)
    return entries


def _add_below(
    repository: Repository, folder: ContentFile, files: dict[str, str], sizes: dict[str, int]
) -> None:
    tree = repository.get_git_tree(folder.sha, recursive=True)
    if tree.truncated:
        raise _too_large(folder.path)
    for item in tree.tree:
        if item.type == "tree":
            continue
        path = f"{folder.path}/{item.path}"
        files[path] = item.sha
        if item.mode in {"100644", "100755"}:  # neither a link nor a submodule
            sizes[path] = item.size or 0


def _too_large(path: str) -> UserError:
    return UserError(
        f"The folder '{path}' has more files than GitHub lists at once, so Slipway cannot read "
        "all of them. Make the change in your own pull request."
    )


def _chosen(sizes: Mapping[str, int]) -> list[str]:
    """Return the files to read within the limits, higher folders first."""
    chosen: list[str] = []
    left = MAX_TEXT_BYTES
    for path in sorted(sizes, key=lambda path: (path.count("/"), path)):
        if len(chosen) < MAX_TEXTS and sizes[path] <= left:
            chosen.append(path)
            left -= sizes[path]
    return chosen


def _texts(repository: Repository, shas: Mapping[str, str]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for path, sha in shas.items():
        try:
            texts[path] = base64.b64decode(repository.get_git_blob(sha).content).decode()
        except UnicodeDecodeError:
            continue  # Not a text.
    return texts
