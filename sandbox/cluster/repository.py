"""Mirror the services repository over git's HTTP, as the cluster does.

As Argo CD does, it asks for references over git, which counts against no API's rate limit.
"""

import base64
import re
from pathlib import Path

import httpx

from sandbox.cluster.model import Version, read_version
from sandbox.github.git import GitRepository

APPS = "apps"
_REF = "refs/heads/{}"


class Mirror:
    """A mirror of one branch.

    Args:
        folder: where it is kept.
        url: the repository's address, as `http://host/owner/name`.
        token: a GitHub token that may read it.
        branch: the branch to follow.
    """

    def __init__(self, folder: Path, url: str, token: str, branch: str) -> None:
        self._git = GitRepository(folder)
        self._url = url
        self._branch = branch
        basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        self._http = httpx.Client(headers={"Authorization": f"Basic {basic}"}, timeout=10)
        # By environment: a command line is readable by every user.
        self._credential = {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "http.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: Basic {basic}",
        }
        if not folder.exists():
            self._git.init(branch)

    def tip(self) -> str | None:
        """Return the branch's commit on the server, or None without a branch.

        Raises:
            httpx.HTTPError: the server does not answer, or refuses.
        """
        service = {"service": "git-upload-pack"}
        answer = self._http.get(f"{self._url}.git/info/refs", params=service)
        answer.raise_for_status()
        pattern = rf"([0-9a-f]{{40}}) {re.escape(_REF.format(self._branch))}[\n\0]"
        found = re.search(pattern.encode(), answer.content)
        return found.group(1).decode() if found else None

    def fetch(self, commit: str) -> None:
        """Bring a commit with its history here.

        Raises:
            GitError: the server does not give it.
        """
        self._git.fetch(f"{self._url}.git", commit, self._credential)

    def versions(self, commit: str) -> dict[str, Version]:
        """Service → what the commit wants of it."""
        found = {}
        for folder in self._git.tree(commit, path=f"{APPS}/"):
            if folder.type != "tree":
                continue
            name = folder.path.removeprefix(f"{APPS}/")
            files = {
                entry.path: self._git.blob(entry.sha)
                for entry in self._git.tree(folder.sha)
                if entry.type == "blob"
            }
            found[name] = read_version(commit, folder.sha, files)
        return found

    def earlier(self, commit: str, service: str) -> set[str]:
        """SHAs that the service's folder had in the branch's history, without today's."""
        path = f"{APPS}/{service}"
        trees = set()
        for passed in self._git.log(commit, path=path):
            trees |= {entry.sha for entry in self._git.tree(passed.sha, path=path)}
        return trees - {entry.sha for entry in self._git.tree(commit, path=path)}

    def close(self) -> None:
        """Close the connection."""
        self._http.close()
