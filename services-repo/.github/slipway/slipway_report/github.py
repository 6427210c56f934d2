"""The pull request and the repository's files, by GitHub's REST API.

https://docs.github.com/rest
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from slipway_report.api import Patience, Refused, ReportError, call


@dataclass(frozen=True)
class PullRequest:
    """A pull request that is merged or closed.

    Attributes:
        number: its number.
        url: its page.
        body: its text; anybody who may edit it can have changed it.
        branch: the branch that it came from.
        base_branch: the branch that it went to.
        head_sha: its last commit.
        base_sha: the base branch's commit that it was compared with.
        merge_sha: the commit that it became on the base branch; None if it was not merged.
        by: who merged or closed it, as a GitHub login.
    """

    number: int
    url: str
    body: str
    branch: str
    base_branch: str
    head_sha: str
    base_sha: str
    merge_sha: str | None
    by: str

    @classmethod
    def read(cls, data: Mapping[str, Any], repository: str, by: str) -> "PullRequest":
        """Read GitHub's JSON of a pull request.

        Args:
            data: the JSON.
            repository: `owner/name` of this repository.
            by: who closed it; GitHub's own word on who merged it goes first.

        Raises:
            ReportError: the pull request is open, or comes from another repository.
        """
        number = int(data["number"])
        if data["state"] != "closed":
            raise ReportError(f"Pull request #{number} is still open: there is nothing to report.")
        # The repository of a deleted fork is null.
        origin = (data["head"]["repo"] or {}).get("full_name", "a deleted fork")
        if origin != repository:
            raise ReportError(
                f"Pull request #{number} comes from {origin}, not from {repository}: "
                "Slipway did not make it. Nothing was reported."
            )
        merger = (data.get("merged_by") or {}).get("login") if data["merged"] else None
        return cls(
            number=number,
            url=data["html_url"],
            body=data["body"] or "",
            branch=data["head"]["ref"],
            base_branch=data["base"]["ref"],
            head_sha=data["head"]["sha"],
            base_sha=data["base"]["sha"],
            merge_sha=data["merge_commit_sha"] if data["merged"] else None,
            by=str(merger or by),
        )


class GitHub:
    """A client of GitHub's API for one repository.

    Args:
        api_url: as `https://api.github.com`.
        repository: `owner/name`.
        token: the job's token.
        patience: for all calls together.
    """

    def __init__(self, api_url: str, repository: str, token: str, patience: Patience) -> None:
        self._url = f"{api_url.rstrip('/')}/repos/{repository}"
        self._repository = repository
        self._headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        self._patience = patience

    def pull_request(self, number: int) -> PullRequest:
        """Read a pull request by its number.

        Raises:
            ReportError: there is none of that number, or it is not to be reported.
        """
        try:
            data = self._get(f"/pulls/{number}")
            # Only the issue behind a pull request says who closed it.
            closed_by = self._get(f"/issues/{number}").get("closed_by") or {}
        except Refused as error:
            if error.status != 404:
                raise
            raise ReportError(f"There is no pull request #{number} here.") from None
        return PullRequest.read(data, self._repository, str(closed_by.get("login", "somebody")))

    def changed_files(self, number: int) -> list[str]:
        """Paths of the files that a pull request changes, up to a hundred."""
        return [str(file["filename"]) for file in self._get(f"/pulls/{number}/files?per_page=100")]

    def base_since(self, merged: PullRequest) -> str:
        """Where to read what is on the base branch now, some time after a merge.

        Until the branch has moved on that is the merge's own commit, also where GitHub still shows
        the branch as it was before: an answer that is late must not pass for a change since.
        https://docs.github.com/rest/commits/commits#compare-two-commits

        Args:
            merged: a pull request that is merged.
        """
        base = f"{merged.merge_sha}...{quote(merged.base_branch)}"
        try:
            found = self._get(f"/compare/{base}?per_page=1")["status"]
        except Refused as error:
            if error.status != 404:
                raise
            found = "behind"  # So far behind that the merge is not known yet.
        if merged.merge_sha and found in {"behind", "identical"}:
            return merged.merge_sha
        return merged.base_branch

    def file(self, path: str, commit: str) -> str | None:
        """A file's text at a commit or branch; None if it is not there."""
        try:
            data = self._get(f"/contents/{quote(path)}?{urlencode({'ref': commit})}")
        except Refused as error:
            if error.status != 404:
                raise
            return None
        # A folder of that name is a list; a link or a very large file has no content here.
        if not isinstance(data, dict) or data.get("encoding") != "base64":
            return None
        return base64.b64decode(data["content"]).decode(errors="replace")

    def _get(self, path: str) -> Any:
        url = f"{self._url}{path}"
        return call("GET", url, patience=self._patience, headers=self._headers)
