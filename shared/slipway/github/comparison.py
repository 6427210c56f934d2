"""Whether a commit is exactly a change, by git's own object ids: content, paths and file modes."""

from dataclasses import dataclass

from github import GithubException, InputGitTreeElement
from github.GitCommit import GitCommit
from github.GitTree import GitTree
from github.Repository import Repository

from slipway.github.models import Change, service_folder

# How often a branch may be updated between two looks at it.
_MOST_UPDATES = 10
_FOLDER_MODE = "040000"


def create_tree(repository: Repository, change: Change, base: str) -> GitTree:
    """Have GitHub make the tree of a commit with the change's files. Repeating it is harmless.

    Args:
        repository: the services repository.
        change: what to write.
        base: the commit that it is written to.
    """
    return repository.create_git_tree(
        [
            InputGitTreeElement(path, "100644", "blob", sha=None)
            if content is None
            else InputGitTreeElement(path, "100644", "blob", content=content)
            for path, content in sorted(change.files.items())
        ],
        # A commit's SHA stands for its tree here, which saves the request for the tree.
        base_tree=GitTree(repository.requester, {}, {"sha": base}, completed=True),
    )


@dataclass(frozen=True)
class Comparison:
    """Compares commits with a change.

    Attributes:
        repository: the services repository.
        change: what a commit must be.
        base_branch: where the change must go.
    """

    repository: Repository
    change: Change
    base_branch: str

    def is_change(self, sha: str, recorded: str | None = None, *, rebases: bool = False) -> bool:
        """Whether a commit may be merged as the change.

        That is the recorded commit, or an update of it: a merge whose second parent is on the base
        branch and which has nothing else of its own, for any number of updates.

        Args:
            sha: the commit.
            recorded: the commit that was recorded as the change; None: a commit on the base branch
                that changes exactly the files of the change.
            rebases: whether an update makes the commit again instead of merging.
        """
        updates: list[tuple[GitCommit, str]] = []
        while sha != recorded:
            commit = self.repository.get_git_commit(sha)
            parents = [parent.sha for parent in commit.parents]
            if len(parents) == 2 and len(updates) < _MOST_UPDATES:
                updates.append((commit, parents[1]))
                sha = parents[0]
            elif len(parents) == 1 and recorded is None and self._makes(commit, parents[0]):
                recorded = sha
            elif len(parents) == 1 and recorded and rebases and not updates:
                updates.append((commit, parents[0]))
                sha = recorded
            else:
                return False
        return all(self._updates(commit, base, sha) for commit, base in updates)

    def _makes(self, commit: GitCommit, base: str) -> bool:
        """Whether a commit changes exactly the change's files."""
        if base != self.change.base_commit and not self.is_on_base(base):
            return False
        try:
            return create_tree(self.repository, self.change, base).sha == commit.tree.sha
        except GithubException as error:
            if error.status != 422:
                raise
            return False  # The change deletes a file that is not there.

    def _updates(self, commit: GitCommit, base: str, recorded: str) -> bool:
        """Whether a commit is the base branch with nothing but the recorded folder in it."""
        if not self.is_on_base(base):
            return False
        beside, folder = self._folder_of(commit.sha)
        return (beside, folder) == (self._folder_of(base)[0], self._folder_of(recorded)[1])

    def is_on_base(self, sha: str) -> bool:
        """Whether a commit is on the base branch."""
        try:
            status = self.repository.compare(self.base_branch, sha).status
        except GithubException as error:
            if error.status != 404:
                raise
            return False  # No history in common.
        return status in {"behind", "identical"}

    def _folder_of(
        self, sha: str
    ) -> tuple[list[dict[str, tuple[str, str]]], tuple[str, str] | None]:
        """What lies beside the service's folder on each level, and the folder itself.

        Each is name → mode and object id, which says all of what is below.
        """
        beside: list[dict[str, tuple[str, str]]] = []
        tree: str | None = sha
        found: tuple[str, str] | None = None
        for name in service_folder(self.change.service).split("/"):
            listed = self.repository.get_git_tree(tree).tree if tree else []
            entries = {item.path: (item.mode, item.sha) for item in listed}
            found = entries.pop(name, None)
            beside.append(entries)
            tree = found[1] if found and found[0] == _FOLDER_MODE else None
        return beside, found
