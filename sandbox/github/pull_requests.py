"""The life of a pull request: mergeability, merging, following pushes."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import select

from sandbox.github import issues, protection, rulesets, shapes, urls
from sandbox.github.errors import ApiError, validation_failed
from sandbox.github.git import Commit, GitError, Person
from sandbox.github.runner.registry import register
from sandbox.github.server import RepoSession
from sandbox.github.store import Issue, Pull, Repo, Review, Team, now

MergeMethod = Literal["merge", "squash", "rebase"]
_NOUNS = {"merge": "Merge commits", "squash": "Squash merges", "rebase": "Rebase merges"}
_GITHUB = ("GitHub", "noreply@github.com")
# Of what a pull request shares with an issue, what only the issue's own routes show.
_OF_ISSUES = frozenset(
    {"pull_request", "comments", "labels_url", "events_url", "repository_url"}
    | {"closed_by", "state_reason"}
)


@dataclass(frozen=True)
class Merge:
    """How to merge; the texts default to GitHub's."""

    method: MergeMethod = "merge"
    title: str | None = None
    message: str | None = None


def mergeability(here: RepoSession, pull: Pull) -> tuple[bool | None, str]:
    """GitHub's `mergeable` and `mergeable_state`."""
    if pull.issue.state == "closed":
        return None, "unknown"
    base = here.git.ref(f"refs/heads/{pull.base_ref}")
    if base is None or here.git.merge_tree(base, pull.head_sha) is None:
        return False, "dirty"
    if pull.draft:
        return True, "draft"
    if protection.unmet(here, pull):
        return True, "blocked"
    if protection.must_be_current(here, pull) and not here.git.is_ancestor(base, pull.head_sha):
        return True, "behind"
    return True, "unstable" if protection.failing(here, pull.head_sha) else "clean"


def pull_json(here: RepoSession, pull: Pull, *, full: bool = True) -> dict[str, Any]:
    """Return a pull request; `full` adds what GitHub leaves out of lists."""
    issue, path = pull.issue, f"{here.path}/pulls/{pull.issue.number}"
    page = urls.web(f"/{here.repo.full_name}/pull/{issue.number}")
    shared = issues.issue_json(here, issue)
    url, fork = urls.api(path), fork_of(here, pull)
    teams = [shapes.team(team) for team in _teams(here, pull.review_teams)]
    addresses = {
        "comments": shared["comments_url"],
        "commits": f"{url}/commits",
        "html": page,
        "issue": shared["url"],
        "review_comment": urls.api(f"{here.path}/pulls/comments") + "{/number}",
        "review_comments": f"{url}/comments",
        "self": url,
        "statuses": urls.api(f"{here.path}/statuses/{pull.head_sha}"),
    }
    body: dict[str, Any] = {
        **{key: value for key, value in shared.items() if key not in _OF_ISSUES},
        "node_id": shapes.node_id("PullRequest", issue.id),
        "url": url,
        "html_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        **{f"{name}_url": addresses[name] for name in addresses.keys() - {"html", "self"}},
        "_links": {name: {"href": address} for name, address in addresses.items()},
        "merged_at": pull.merged_at,
        "merge_commit_sha": pull.merge_commit_sha,
        "draft": pull.draft,
        "requested_reviewers": [here.user(login) for login in pull.reviewers],
        # A list has teams as the teams API shows them, with their parent.
        "requested_teams": teams if full else [{**team, "parent": None} for team in teams],
        "auto_merge": None,
        "head": _side(fork or here.repo, pull.head_ref, pull.head_sha),
        "base": _side(here.repo, pull.base_ref, pull.base_sha),
    }
    if full:
        changes = here.git.changes(_fork_point(here, pull), pull.head_sha)
        mergeable, state = mergeability(here, pull)
        body |= {
            "merged": pull.merged_at is not None,
            "mergeable": mergeable,
            "mergeable_state": state,
            "rebaseable": bool(mergeable) and not _has_merges(here, pull),
            "merged_by": here.user(pull.merged_by),
            "maintainer_can_modify": pull.maintainer_can_modify,
            "comments": shared["comments"],
            "review_comments": 0,
            "commits": len(commits(here, pull)),
            "additions": sum(change.additions for change in changes),
            "deletions": sum(change.deletions for change in changes),
            "changed_files": len(changes),
        }
    return body


def _side(repo: Repo, ref: str, sha: str) -> dict[str, Any]:
    shape = shapes.repository(repo)
    return {
        "label": f"{repo.owner}:{ref}",
        "ref": ref,
        "sha": sha,
        "user": shape["owner"],
        "repo": shape,
    }


def fork_of(here: RepoSession, pull: Pull) -> Repo | None:
    """Return the fork that a pull request comes from; None if it comes from this repository."""
    return here.session.get(Repo, pull.fork_id) if pull.fork_id else None


def _teams(here: RepoSession, slugs: list[str]) -> list[Team]:
    query = select(Team).where(Team.org == here.repo.owner, Team.slug.in_(slugs))
    return list(here.session.scalars(query))


def _fork_point(here: RepoSession, pull: Pull) -> str:
    """Return where the pull request's own changes begin.

    After a merge the base has moved past it.
    """
    return here.git.merge_base(pull.base_sha, pull.head_sha) or pull.base_sha


def changed_files(here: RepoSession, pull: Pull) -> list[dict[str, Any]]:
    """Return the pull request's files with their patches."""
    changes = here.git.changes(_fork_point(here, pull), pull.head_sha)
    return [shapes.file_change(change, here.path, pull.head_sha) for change in changes]


def commits(here: RepoSession, pull: Pull) -> list[dict[str, Any]]:
    """Return the pull request's commits, oldest first."""
    return [shapes.commit(commit, here.path) for commit in _own_commits(here, pull)]


def _own_commits(here: RepoSession, pull: Pull) -> list[Commit]:
    return here.git.log(pull.head_sha, without=_fork_point(here, pull))[::-1]


def _has_merges(here: RepoSession, pull: Pull) -> bool:
    return any(len(commit.parents) > 1 for commit in _own_commits(here, pull))


def emit(here: RepoSession, pull: Pull, action: str, **more: Any) -> None:
    """Tell of a `pull_request` event, with GitHub's test merge commit brought up to date."""
    if pull.issue.state == "open":
        _test_merge(here, pull)
    here.session.flush()
    body = {"number": pull.issue.number, "pull_request": pull_json(here, pull), **more}
    here.emit("pull_request", action, **body)


def _test_merge(here: RepoSession, pull: Pull) -> None:
    """Point `refs/pull/N/merge` at the merge of head into base; it stays behind on a conflict."""
    prefix = f"refs/pull/{pull.issue.number}"
    here.git.update_ref(f"{prefix}/head", pull.head_sha, here.git.ref(f"{prefix}/head"))
    base = here.git.ref(f"refs/heads/{pull.base_ref}")
    tree = here.git.merge_tree(base, pull.head_sha) if base else None
    if base is None or tree is None:
        return
    author = Person(*_GITHUB, here.git.commit(pull.head_sha).committer.date)
    message = f"Merge {pull.head_sha} into {base}"
    sha = here.git.write_commit(message, tree, [base, pull.head_sha], author, author)
    here.git.update_ref(f"{prefix}/merge", sha, here.git.ref(f"{prefix}/merge"))
    pull.merge_commit_sha, pull.base_sha = sha, base


def merge(here: RepoSession, pull: Pull, how: Merge, expected_head: str | None = None) -> str:
    """Merge a pull request; returns the SHA of the new commit on the base branch.

    Raises:
        ApiError: 405 with the reason, or 409 if the head has moved.
    """
    base = here.git.ref(f"refs/heads/{pull.base_ref}")
    tree = _check_merge(here, pull, how, base, expected_head)
    sha = _rebased(here, pull, str(base)) if how.method == "rebase" else None
    if sha is None:
        sha = _merge_commit(here, pull, how, str(base), tree)
    try:
        here.git.update_ref(f"refs/heads/{pull.base_ref}", sha, base)
    except GitError:
        raise ApiError(405, "Base branch was modified. Review and try the merge again.") from None
    _mark_merged(here, pull, sha)
    ref_changed(here, f"refs/heads/{pull.base_ref}", base, sha)
    ours = pull.fork_id is None and here.git.ref(f"refs/heads/{pull.head_ref}")
    if here.repo.delete_branch_on_merge and ours:
        here.git.delete_ref(f"refs/heads/{pull.head_ref}")
        ref_changed(here, f"refs/heads/{pull.head_ref}", pull.head_sha, None)
    return sha


def _rebased(here: RepoSession, pull: Pull, onto: str) -> str:
    """Return the pull request's commits made again on top of the base branch.

    GitHub rebases no branch that has merge commits, although it can merge it:
    https://github.com/Mnigos/tessera/issues/162

    Raises:
        ApiError: 405, they cannot be rebased.
    """
    stamp = datetime.now(UTC).isoformat(timespec="seconds")
    sha = None
    if not _has_merges(here, pull):
        sha = here.git.rebase(_own_commits(here, pull), onto, Person(*_GITHUB, stamp))
    if sha is None:
        raise ApiError(405, "Pull Request is not mergeable")
    return sha


def _merge_commit(here: RepoSession, pull: Pull, how: Merge, base: str, tree: str) -> str:
    number, repo = pull.issue.number, here.repo
    if how.method == "squash":
        title = how.title or f"{pull.issue.title} (#{number})"
        message = how.message if how.message is not None else ""
        parents = [base]
    else:
        title = how.title or f"Merge pull request #{number} from {repo.owner}/{pull.head_ref}"
        message = how.message if how.message is not None else pull.issue.title
        parents = [base, pull.head_sha]
    stamp = datetime.now(UTC).isoformat(timespec="seconds")
    account = here.account(here.actor.login)
    author = Person(here.actor.login, account.email if account else _GITHUB[1], stamp)
    text = f"{title}\n\n{message}".rstrip("\n")
    committer = Person(*_GITHUB, stamp)
    return here.git.write_commit(text, tree, parents, author, committer, signed=True)


def merge_methods(repo: Repo) -> list[MergeMethod]:
    """Return the methods that a repository allows."""
    allowed: dict[MergeMethod, bool] = {
        "merge": repo.allow_merge_commit,
        "squash": repo.allow_squash_merge,
        "rebase": repo.allow_rebase_merge,
    }
    return [method for method, here in allowed.items() if here]


def update_branch(
    here: RepoSession, pull: Pull, expected_head: str | None, method: Literal["merge", "rebase"]
) -> None:
    """Bring the base branch into the pull request's branch.

    Raises:
        ApiError: 422 with the reason.
    """
    if expected_head and expected_head != pull.head_sha:
        raise ApiError(422, "expected head sha didn't match current head ref.")
    base = here.git.ref(f"refs/heads/{pull.base_ref}")
    if pull.fork_id is not None:
        raise ApiError(422, "The sandbox updates no branch of a fork.")
    if base is None or pull.issue.state == "closed":
        raise validation_failed("PullRequest", "state", "invalid")
    if here.git.is_ancestor(base, pull.head_sha):
        raise ApiError(422, "There are no new commits on the base branch.")
    rulesets.refuse(here, pull.head_ref, deleted=False)
    stamp = datetime.now(UTC).isoformat(timespec="seconds")
    author = Person(here.actor.login, _GITHUB[1], stamp)
    sha = None
    if method == "rebase":
        sha = here.git.rebase(_own_commits(here, pull), base, author)
    elif tree := here.git.merge_tree(pull.head_sha, base):
        message = f"Merge branch '{pull.base_ref}' into {pull.head_ref}"
        parents = [pull.head_sha, base]
        sha = here.git.write_commit(message, tree, parents, author, author, signed=True)
    if sha is None:
        raise ApiError(422, "merge conflict between base and head")
    ref, old = f"refs/heads/{pull.head_ref}", pull.head_sha
    here.git.update_ref(ref, sha, old)
    ref_changed(here, ref, old, sha)


def _check_merge(
    here: RepoSession, pull: Pull, how: Merge, base: str | None, expected_head: str | None
) -> str:
    if expected_head and expected_head != pull.head_sha:
        raise ApiError(409, "Head branch was modified. Review and try the merge again.")
    if how.method not in merge_methods(here.repo):
        raise ApiError(405, f"{_NOUNS[how.method]} are not allowed on this repository.")
    if pull.draft and pull.issue.state == "open":
        raise ApiError(405, "Pull Request is still a draft")
    tree = here.git.merge_tree(base, pull.head_sha) if base else None
    if pull.issue.state == "closed" or base is None or tree is None:
        raise ApiError(405, "Pull Request is not mergeable")
    if not protection.bypassed(here, pull.base_ref):
        sentences = protection.unmet(here, pull)
        behind = not here.git.is_ancestor(base, pull.head_sha)
        if not sentences and behind and protection.must_be_current(here, pull):
            # As GitHub says it: https://github.com/RakuenSoftware/aimee/pull/2460
            count = len(here.repo.protections[pull.base_ref]["contexts"])
            sentences = [f"{count} of {count} required status checks are expected."]
        if sentences:
            raise ApiError(405, " ".join(sentences))
    return tree


def _mark_merged(here: RepoSession, pull: Pull, sha: str) -> None:
    issues.close(here, pull.issue)
    pull.merged_at, pull.merged_by, pull.merge_commit_sha = now(), here.actor.login, sha
    emit(here, pull, "closed")


def _open_pulls(here: RepoSession) -> list[Pull]:
    query = select(Pull).join(Issue).where(Pull.repo_id == here.repo.id, Issue.state == "open")
    return list(here.session.scalars(query.order_by(Issue.number)))


def ref_changed(here: RepoSession, ref: str, old: str | None, new: str | None) -> None:
    """Follow a change of a branch or tag: send the push event, update pull requests.

    Args:
        here: the repository.
        ref: the full reference, already changed.
        old: what it pointed at; None: it is new.
        new: what it points at; None: it is gone.
    """
    here.repo.pushed_at = now()
    _emit_push(here, ref, old, new)
    if not ref.startswith("refs/heads/"):
        return
    branch = ref.removeprefix("refs/heads/")
    if new and branch == here.repo.default_branch:
        register(here, new)
    _follow_fork(here, branch, new)
    for pull in _open_pulls(here):
        head_ref = pull.head_ref if pull.fork_id is None else None
        if new is None:
            if branch in {head_ref, pull.base_ref}:
                issues.close(here, pull.issue)
                emit(here, pull, "closed")
        elif head_ref == branch:
            _follow_head(here, pull, new)
        elif pull.base_ref == branch and here.git.is_ancestor(pull.head_sha, new):
            _mark_merged(here, pull, new)


def _follow_fork(here: RepoSession, branch: str, new: str | None) -> None:
    """Update the pull requests that come from a branch of this fork."""
    query = (
        select(Pull)
        .join(Issue)
        .where(Pull.fork_id == here.repo.id, Pull.head_ref == branch, Issue.state == "open")
    )
    for pull in here.session.scalars(query):
        repo = here.session.get_one(Repo, pull.repo_id)
        git = here.server.git(repo)
        base = RepoSession(here.server, here.session, here.actor, repo, git, here.events)
        if new is None:
            issues.close(base, pull.issue)
            emit(base, pull, "closed")
        else:
            git.fetch(str(here.git.path), new, {})
            _follow_head(base, pull, new)


def _follow_head(here: RepoSession, pull: Pull, new: str) -> None:
    before, pull.head_sha = pull.head_sha, new
    here.touch(pull.issue)
    rules = here.repo.protections.get(pull.base_ref)
    if rules and rules["reviews"] and rules["reviews"]["dismiss_stale"]:
        stale = select(Review).filter_by(
            repo_id=here.repo.id, pull_number=pull.issue.number, state="APPROVED"
        )
        for review in here.session.scalars(stale):
            review.state = "DISMISSED"
    emit(here, pull, "synchronize", before=before, after=new)


def _emit_push(here: RepoSession, ref: str, old: str | None, new: str | None) -> None:
    zero = "0" * 40
    here.emit(
        "push",
        ref=ref,
        before=old or zero,
        after=new or zero,
        created=old is None,
        deleted=new is None,
        pusher={"name": here.actor.login},
    )
