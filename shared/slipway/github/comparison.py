"""Compare a commit with a change by git's object ids.

The object ids cover content, paths and file modes.
"""

from dataclasses import dataclass

from github import GithubException, InputGitTreeElement
from github.GitCommit import GitCommit
from github.GitTree import GitTree
from github.Repository import Repository

from slipway.github.models import Change, lies_in

# Maximum number of branch updates between two checks.
_MOST_UPDATES = 10
_FOLDER_MODE = "040000"
# Path → mode and object id, which identify the whole content.
Entries = dict[str, tuple[str, str]]


def create_tree(repository: Repository, change: Change, base: str) -> GitTree:
    """Create the tree of a commit with the change's files. Safe to repeat.

    Args:
        repository: the repository.
        change: what to write.
        base: the parent commit.
    """
    return repository.create_git_tree(
        [
            InputGitTreeElement(path, "100644", "blob", sha=None)
            if content is None
            else InputGitTreeElement(path, "100644", "blob", content=content)
            for path, content in sorted(change.files.items())
        ],
        # The tree of a commit can be addressed by the commit's SHA, which saves a request.
        base_tree=GitTree(repository.requester, {}, {"sha": base}, completed=True),
    )


@dataclass(frozen=True)
class Comparison:
    """Compares commits with a change.

    Attributes:
        repository: the repository.
        change: the expected change.
        base_branch: the target branch of the change.
    """

    repository: Repository
    change: Change
    base_branch: str

    def is_change(self, sha: str, recorded: str | None = None, *, rebases: bool = False) -> bool:
        """Return whether a commit may be merged as the change.

        That is the recorded commit, or an update of it. An update is a merge whose second parent is
        on the base branch and which adds nothing else. There may be any number of updates.

        Args:
            sha: the commit.
            recorded: the commit that was recorded as the change; None: a commit on the base branch
                that changes exactly the files of the change.
            rebases: whether an update recreates the commit instead of merging.
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
        """Return whether a commit changes exactly the change's files."""
        if base != self.change.base_commit and not self.is_on_base(base):
            return False
        try:
            return create_tree(self.repository, self.change, base).sha == commit.tree.sha
        except GithubException as error:
            if error.status != 422:
                raise
            return False  # The change deletes a file that does not exist.

    def _updates(self, commit: GitCommit, base: str, recorded: str) -> bool:
        """Return whether a commit is the base branch plus the recorded files."""
        if not self.is_on_base(base):
            return False
        beside, own = self._split(commit.sha)
        return (beside, own) == (self._split(base)[0], self._split(recorded)[1])

    def is_on_base(self, sha: str) -> bool:
        """Return whether a commit is on the base branch."""
        try:
            status = self.repository.compare(self.base_branch, sha).status
        except GithubException as error:
            if error.status != 404:
                raise
            return False  # The commits have no common history.
        return status in {"behind", "identical"}

    def _split(self, sha: str) -> tuple[Entries, Entries]:
        """Split a commit's files into the entity's and the others.

        Whole folders are compared by their object ids.
        """
        beside, own = Entries(), Entries()
        left = [("", sha)]
        while left:
            folder, tree = left.pop()
            if any(lies_in(folder, one) for one in self.change.entity.folders):
                self._split_shared(folder, tree, beside, own)
                continue
            for item in self.repository.get_git_tree(tree).tree:
                path = f"{folder}/{item.path}" if folder else item.path
                is_folder = item.mode == _FOLDER_MODE
                if is_folder and path in self.change.entity.whole:
                    own[path] = (item.mode, item.sha)
                elif is_folder and any(lies_in(one, path) for one in self.change.entity.folders):
                    left.append((path, item.sha))
                else:
                    beside[path] = (item.mode, item.sha)
        return beside, own

    def _split_shared(self, folder: str, tree: str, beside: Entries, own: Entries) -> None:
        """Split a folder that may also have other files."""
        listed = self.repository.get_git_tree(tree, recursive=True)
        if listed.truncated:
            # The files below cannot be distinguished, so all must equal the recorded ones.
            own[folder] = (_FOLDER_MODE, tree)
            return
        for item in listed.tree:
            if item.mode != _FOLDER_MODE:
                path = f"{folder}/{item.path}" if folder else item.path
                side = own if self.change.entity.owns(path) else beside
                side[path] = (item.mode, item.sha)
