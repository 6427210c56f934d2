"""Read and comment on the pull requests of runs, for the sweep."""

from github.Repository import Repository

from slipway.github.models import PullRequest
from slipway.github.repository import ServicesRepository


class PullRequests:
    """All pull requests of runs in the services repository.

    Args:
        repository: the services repository.
    """

    def __init__(self, repository: ServicesRepository) -> None:
        self._repository = repository

    def open(self) -> dict[str, PullRequest]:
        """Return the newest open pull request of each branch, 100 per request.

        Only those that Slipway opened count, even if their base branch was changed. A missing one
        may still be open, because the list moves while it is read.

        Raises:
            GitHubUnavailable: GitHub throttles, fails or does not answer.
            GitHubError: GitHub refused.
        """

        def act(repository: Repository, _branch: str) -> dict[str, PullRequest]:
            found: dict[str, PullRequest] = {}
            for pull in repository.get_pulls(state="open"):
                if pull.head.ref.startswith("slipway/") and self._repository.is_ours(pull):
                    found.setdefault(pull.head.ref, self._repository.described(pull))
            return found

        return self._repository.using("list the open pull requests", act)

    def branches(self) -> list[str]:
        """Return the branches `slipway/…`, with or without open pull requests.

        Raises:
            GitHubUnavailable: GitHub throttles, fails or does not answer.
            GitHubError: GitHub refused.
        """

        def act(repository: Repository, _branch: str) -> list[str]:
            # PyGithub requests pages, which this list does not have.
            # https://docs.github.com/rest/git/refs#list-matching-references
            url = f"{repository.url}/git/matching-refs/heads/slipway/"
            _, found = repository.requester.requestJsonAndCheck("GET", url)
            return [reference["ref"].removeprefix("refs/heads/") for reference in found]

        return self._repository.using("list the branches of pull requests", act)

    def remind(self, number: int, comment: str) -> None:
        """Comment on a pull request, unless the same comment exists.

        Raises:
            GitHubUnavailable: GitHub throttles, fails or does not answer.
            GitHubError: GitHub refused.
        """

        def act(repository: Repository, _branch: str) -> None:
            issue = repository.get_issue(number)
            if all(each.body.strip() != comment for each in issue.get_comments()):
                issue.create_comment(comment)

        self._repository.using(f"comment on pull request #{number}", act)
