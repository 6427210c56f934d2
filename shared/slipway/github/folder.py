"""Reads a service's folder at one commit, in as few requests as its shape allows."""

import base64

from github import GithubException
from github.ContentFile import ContentFile
from github.Repository import Repository

from slipway.github.models import ServiceFolder, service_folder

MAX_TEXTS = 100
MAX_TEXT_BYTES = 1024 * 1024


def read_folder(
    repository: Repository, service: str, commit: str, names: frozenset[str] | None
) -> ServiceFolder:
    """Read `apps/<service>/` at a commit.

    Args:
        repository: the services repository.
        service: the service's name.
        commit: the commit's SHA.
        names: names of the files whose text is wanted; None for all.
    """
    path = service_folder(service)
    try:
        entries = repository.get_contents(path, ref=commit)
    except GithubException as error:
        if error.status != 404:
            raise
        entries = []
    files: dict[str, str] = {}
    plain: dict[str, int] = {}
    # A file of this name instead of a folder is not a service.
    for entry in entries if isinstance(entries, list) else []:
        if entry.type == "dir":
            _add_below(repository, entry, files, plain)
        else:
            files[entry.path] = entry.sha
            if entry.type == "file":
                plain[entry.path] = entry.size
    return ServiceFolder(
        service=service, commit=commit, files=files, texts=_texts(repository, files, plain, names)
    )


def _add_below(
    repository: Repository, folder: ContentFile, files: dict[str, str], plain: dict[str, int]
) -> None:
    tree = repository.get_git_tree(folder.sha, recursive=True)
    for item in tree.tree:
        if item.type == "tree":
            continue
        path = f"{folder.path}/{item.path}"
        files[path] = item.sha
        if item.mode in {"100644", "100755"}:  # neither a link nor another repository
            plain[path] = item.size or 0


def _texts(
    repository: Repository,
    files: dict[str, str],
    plain: dict[str, int],
    names: frozenset[str] | None,
) -> dict[str, str]:
    texts: dict[str, str] = {}
    left = MAX_TEXT_BYTES
    for path in sorted(plain):
        wanted = names is None or path.rpartition("/")[2] in names
        left -= plain[path] if wanted else 0
        if not wanted or left < 0 or len(texts) >= MAX_TEXTS:
            continue
        blob = repository.get_git_blob(files[path])
        try:
            texts[path] = base64.b64decode(blob.content).decode()
        except UnicodeDecodeError:
            continue
    return texts
