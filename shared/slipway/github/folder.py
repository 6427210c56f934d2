"""Reads a service's folder at one commit, in as few requests as its shape allows."""

import base64
from collections.abc import Mapping

from github import GithubException
from github.ContentFile import ContentFile
from github.Repository import Repository

from slipway.errors import UserError
from slipway.github.models import ServiceFolder, service_folder

MAX_TEXTS = 100
MAX_TEXT_BYTES = 1024 * 1024
# https://docs.github.com/rest/repos/contents#get-repository-content
_MAX_LISTED = 1000


def read_folder(
    repository: Repository, service: str, commit: str, names: frozenset[str] | None
) -> ServiceFolder:
    """Read `apps/<service>/` at a commit.

    Args:
        repository: the services repository.
        service: the service's name.
        commit: the commit's SHA.
        names: names of the files whose text is wanted; None for all.

    Raises:
        UserError: GitHub does not list all of the folder.
    """
    files: dict[str, str] = {}
    sizes: dict[str, int] = {}
    for entry in _entries(repository, service_folder(service), commit):
        if entry.type == "dir":
            _add_below(repository, entry, files, sizes)
            continue
        files[entry.path] = entry.sha
        # GitHub lists a submodule as a file too, but has nothing to download for it.
        if entry.type == "file" and entry.download_url:
            sizes[entry.path] = entry.size
    texts = _texts(repository, {path: files[path] for path in _chosen(sizes, names)})
    return ServiceFolder(service=service, commit=commit, files=files, texts=texts)


def _entries(repository: Repository, path: str, commit: str) -> list[ContentFile]:
    try:
        entries = repository.get_contents(path, ref=commit)
    except GithubException as error:
        if error.status != 404:
            raise
        return []
    if not isinstance(entries, list):
        return []  # A file of this name instead of a folder is not a service.
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
        f"The folder '{path}' has more files than GitHub lists at once, so that Slipway cannot "
        "know all of it. Change it by a pull request of your own."
    )


def _chosen(sizes: Mapping[str, int], names: frozenset[str] | None) -> list[str]:
    """The files to read: those higher up first, each that the limits still have room for."""
    wanted = [path for path in sizes if names is None or path.rpartition("/")[2] in names]
    chosen: list[str] = []
    left = MAX_TEXT_BYTES
    for path in sorted(wanted, key=lambda path: (path.count("/"), path)):
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
