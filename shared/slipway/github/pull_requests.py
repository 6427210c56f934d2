"""The pull requests of runs, as the sweep looks after them."""

from github.Repository import Repository

from slipway.github.models import PullRequest
from slipway.github.repository import ServicesRepository


class PullRequests:
    """All that the services repository has of them.

    Args:
        repository: the services repository.
    """

    def __init__(self, repository: ServicesRepository) -> None:
        self._repository = repository

    def open(self) -> dict[str, PullRequest]:
        """Branch → its newest open pull request: one request for each hundred that are open.

        Only those that Slipway opened count, also if they go to another branch by now. One that is
        missing may be open all the same: the list moves while it is read.

        Raises:
            GitHubUnavailable: GitHub is throttling, failing or silent.
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
        """Return the branches `slipway/…`, whatever became of their pull requests.

        Raises:
            GitHubUnavailable: GitHub is throttling, failing or silent.
            GitHubError: GitHub refused.
        """

        def act(repository: Repository, _branch: str) -> list[str]:
            # PyGithub asks for pages, which this list does not have.
            # https://docs.github.com/rest/git/refs#list-matching-references
            url = f"{repository.url}/git/matching-refs/heads/slipway/"
            _, found = repository.requester.requestJsonAndCheck("GET", url)
            return [reference["ref"].removeprefix("refs/heads/") for reference in found]

        return self._repository.using("list the branches of pull requests", act)

    def remind(self, number: int, comment: str) -> None:
        """Comment on a pull request, unless the same was said there.

        Raises:
            GitHubUnavailable: GitHub is throttling, failing or silent.
            GitHubError: GitHub refused.
        """

        def act(repository: Repository, _branch: str) -> None:
            issue = repository.get_issue(number)
            if all(each.body.strip() != comment for each in issue.get_comments()):
                issue.create_comment(comment)

        self._repository.using(f"comment on pull request #{number}", act)
