"""Serve pages for people: pull requests, issues, files, runs, commits.

A pull request can be merged or closed on its page, as the reviewer whom the repository was seeded
with.
"""

from html import escape

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import select

from sandbox.github.auth import ANONYMOUS, Actor
from sandbox.github.errors import ApiError, not_found
from sandbox.github.pull_requests import changed_files, mergeability
from sandbox.github.rendering import HEADERS, diff, markdown, page
from sandbox.github.routes import pulls
from sandbox.github.routes.deps import ServerDep
from sandbox.github.server import RepoSession, Server
from sandbox.github.store import Comment, Issue, Job, Pull, Repo, Run

router = APIRouter()
_REVIEWER = Actor("devops", "user", key="devops")
_REASONS = {
    "dirty": "This branch has conflicts with the base branch, so it cannot be merged.",
    "draft": "This pull request is still a draft, so it cannot be merged.",
}


def _head(here: RepoSession, title: str) -> str:
    name = escape(here.repo.full_name)
    return f'<p><a href="/{name}">{name}</a></p><h1>{title}</h1>'


@router.get("/")
def front_page(server: ServerDep) -> Response:
    """List the repositories."""
    with server.store.read() as session:
        names = [escape(repo.full_name) for repo in session.scalars(select(Repo).order_by(Repo.id))]
    listed = "".join(f'<li><a href="/{name}">{name}</a></li>' for name in names)
    return page("GitHub sandbox", f"<h1>Repositories</h1><ul>{listed}</ul>")


@router.get("/{owner}/{name}/pull/{number}")
def pull_page(server: ServerDep, owner: str, name: str, number: int) -> Response:
    """Show a pull request."""
    with server.open(owner, name, ANONYMOUS, write=False) as here:
        pull = here.pull(number)
        issue = pull.issue
        state = "merged" if pull.merged_at else issue.state
        labels = ", ".join(label.name for label in issue.labels)
        asked = ", ".join([*pull.reviewers, *(f"@{owner}/{team}" for team in pull.review_teams)])
        files = "".join(
            f"<h3>{escape(file['status'])} {escape(file['filename'])} "
            f"<small>+{file['additions']} -{file['deletions']}</small></h3>"
            f"{diff(file.get('patch'))}"
            for file in changed_files(here, pull)
        )
        body = (
            _head(here, f"{escape(issue.title)} <small>#{number}</small>")
            + f'<p><span class="state {state}">{state}</span> '
            f"{_merge_line(pull)} <code>{escape(pull.head_ref)}</code> "
            f"into <code>{escape(pull.base_ref)}</code></p>"
            f"<p>Labels: {escape(labels) or 'none'} · Reviewers: {escape(asked) or 'none'}</p>"
            f"{_buttons(here, pull) if state == 'open' else ''}"
            f"<section>{markdown(issue.body)}</section>{_comments(here, number)}"
            f"<h2>Files changed</h2>{files}"
        )
        return page(f"{issue.title} #{number}", body)


def _merge_line(pull: Pull) -> str:
    if pull.merged_by:
        return f"<b>{escape(pull.merged_by)}</b> merged"
    return f"<b>{escape(pull.issue.user)}</b> wants to merge"


def _comments(here: RepoSession, number: int) -> str:
    comments = here.session.scalars(
        select(Comment).filter_by(repo_id=here.repo.id, issue_number=number).order_by(Comment.id)
    )
    return "".join(
        f"<section><p><b>{escape(c.user)}</b></p>{markdown(c.body)}</section>" for c in comments
    )


def _buttons(here: RepoSession, pull: Pull) -> str:
    """Return the reviewer's buttons.

    A button that could not succeed is disabled, with the reason.
    """
    reason = _REASONS.get(mergeability(here, pull)[1], "")
    address = f"/{escape(here.repo.full_name)}/pull/{pull.issue.number}"
    return (
        '<form method="post" class="buttons">'
        f'<button class="primary" formaction="{address}/merge"{" disabled" if reason else ""}>'
        f"Approve and merge, as {_REVIEWER.login}</button>"
        f'<button formaction="{address}/close">Close pull request</button>{reason}</form>'
    )


@router.post("/{owner}/{name}/pull/{number}/merge")
def merge_page(request: Request, server: ServerDep, owner: str, name: str, number: int) -> Response:
    """Approve and merge a pull request, both or neither; says why if that is refused."""
    _require_own_page(request)
    try:
        with server.open(owner, name, _REVIEWER) as here:
            pulls.create_review(here, number, pulls.NewReview(event="APPROVE"))
            pulls.merge(here, number, pulls.HowToMerge(merge_method="squash"))
    except ApiError as error:
        return _refusal("Not merged", error, f"/{owner}/{name}/pull/{number}")
    return RedirectResponse(f"/{owner}/{name}/pull/{number}", 303)


@router.post("/{owner}/{name}/pull/{number}/close")
def close_page(request: Request, server: ServerDep, owner: str, name: str, number: int) -> Response:
    """Close a pull request without merging it."""
    _require_own_page(request)
    with server.open(owner, name, _REVIEWER) as here:
        pulls.edit_pull(here, number, pulls.ChangedPull(state="closed"))
    return RedirectResponse(f"/{owner}/{name}/pull/{number}", 303)


def _require_own_page(request: Request) -> None:
    # Any website can send a form to this machine, and no reviewer signs in here.
    if request.headers.get("sec-fetch-site") != "same-origin":
        raise ApiError(403, "Only the pull request's own page merges or closes it")


def _refusal(title: str, error: ApiError, address: str) -> Response:
    reason = escape(" ".join([error.message, *map(str, error.errors or [])]))
    back = f'<p><a href="{escape(address)}">Back to the pull request</a></p>'
    answer = page(title, f"<h1>{title}</h1><p>{reason}</p>{back}")
    answer.status_code = error.status
    return answer


@router.get("/{owner}/{name}/issues/{number}")
def issue_page(server: ServerDep, owner: str, name: str, number: int) -> Response:
    """Show an issue."""
    with server.open(owner, name, ANONYMOUS, write=False) as here:
        issue = here.issue(number)
        if issue.pull is not None:
            return RedirectResponse(f"/{here.repo.full_name}/pull/{number}")
        labels = ", ".join(label.name for label in issue.labels)
        body = (
            _head(here, f"{escape(issue.title)} <small>#{number}</small>")
            + f'<p><span class="state {issue.state}">{issue.state}</span> '
            f"<b>{escape(issue.user)}</b> opened this issue</p>"
            f"<p>Labels: {escape(labels) or 'none'}</p>"
            f"<section>{markdown(issue.body)}</section>{_comments(here, number)}"
        )
        return page(f"{issue.title} #{number}", body)


@router.get("/{owner}/{name}/issues")
def issues_page(server: ServerDep, owner: str, name: str, q: str = "") -> Response:
    """Show the open issues that have the words of a search; the only one is shown at once.

    Of GitHub's search language it knows `label:` and words; other qualifiers are left out.
    https://docs.github.com/issues/tracking-your-work-with-issues/using-issues/filtering-and-searching-issues-and-pull-requests
    """
    words = [word.strip('"').lower() for word in q.split() if ":" not in word]
    labels = {word.removeprefix("label:") for word in q.split() if word.startswith("label:")}
    with server.open(owner, name, ANONYMOUS, write=False) as here:
        rows = here.session.scalars(
            select(Issue).filter_by(repo_id=here.repo.id, state="open").order_by(Issue.id.desc())
        )
        found = [
            issue
            for issue in rows
            if issue.pull is None
            and labels <= {label.name for label in issue.labels}
            and all(word in issue.title.lower().split() for word in words)
        ]
        full = escape(here.repo.full_name)
        if q and len(found) == 1:
            return RedirectResponse(f"/{here.repo.full_name}/issues/{found[0].number}")
        listed = "".join(
            f'<li><a href="/{full}/issues/{one.number}">#{one.number} {escape(one.title)}</a></li>'
            for one in found
        )
        empty = "No open issue matches the search." if q else "There are no open issues."
        body = f"<ul>{listed}</ul>" if found else f"<p>{empty}</p>"
        return page("Issues", _head(here, "Open issues") + body)


@router.get("/{owner}/{name}/actions/runs/{number}")
def run_page(server: ServerDep, owner: str, name: str, number: int) -> Response:
    """Show a workflow run with its logs."""
    with server.open(owner, name, ANONYMOUS, write=False) as here:
        run = here.session.get(Run, number)
        if run is None or run.repo_id != here.repo.id:
            raise not_found()
        state = run.conclusion or run.status
        jobs = here.session.scalars(select(Job).filter_by(run_id=number).order_by(Job.id))
        logs = "".join(
            f"<h2>{escape(job.name)}: {escape(job.conclusion or job.status)}</h2>"
            f"<pre>{escape(job.log)}</pre>"
            for job in jobs
        )
        title = f"{escape(run.name)} <small>#{run.number}</small>"
        about = (
            f'<p><span class="state {escape(state)}">{escape(state)}</span> {escape(run.title)}</p>'
        )
        return page(run.name, _head(here, title) + about + logs)


@router.get("/{owner}/{name}/{kind}/{ref}/{path:path}")
@router.get("/{owner}/{name}/{kind}/{ref}")
def tree_page(
    server: ServerDep, owner: str, name: str, kind: str, ref: str, path: str = ""
) -> Response:
    """Show a folder (`tree`), a file (`blob`, `raw`) or a commit."""
    if kind not in {"tree", "blob", "raw", "commit"}:
        raise not_found()
    with server.open(owner, name, ANONYMOUS, write=False) as here:
        sha, path = _split(here, ref, path)
        if kind == "commit":
            return _commit_page(here, sha)
        data = here.git.file(sha, path) if path else None
        if data is not None:
            if kind == "raw":
                return Response(data, media_type="text/plain; charset=utf-8", headers=HEADERS)
            text = escape(data.decode(errors="replace"))
            return page(path, _head(here, escape(path)) + f"<pre>{text}</pre>")
        entries = here.git.tree(sha, path=f"{path}/" if path else "")
        if not entries:
            raise not_found()
        lines = "".join(
            f'<li><a href="/{escape(here.repo.full_name)}/{entry.type}/{sha}/{escape(entry.path)}">'
            f"{escape(entry.path)}</a></li>"
            for entry in entries
        )
        return page(path or name, _head(here, escape(path) or "Files") + f"<ul>{lines}</ul>")


def _split(here: RepoSession, ref: str, path: str) -> tuple[str, str]:
    """Return the commit of a branch whose name may have slashes, and the path that is left."""
    parts = [ref, *(part for part in path.split("/") if part)]
    for count in range(1, len(parts) + 1):
        if sha := here.git.resolve("/".join(parts[:count])):
            return sha, "/".join(parts[count:])
    raise ApiError(404, "Not Found")


def _commit_page(here: RepoSession, sha: str) -> Response:
    commit = here.git.commit(sha)
    parent = commit.parents[0] if commit.parents else here.git.write_tree(None, {})
    patches = "".join(
        f"<h3>{escape(change.path)}</h3>{diff(change.patch)}"
        for change in here.git.changes(parent, sha)
    )
    message = f"<pre>{escape(commit.message)}</pre>"
    return page(sha[:12], _head(here, escape(sha[:12])) + message + patches)


@router.get("/{owner}/{name}")
def repo_page(server: ServerDep, owner: str, name: str) -> Response:
    """Show a repository: its pull requests and workflow runs."""
    return _repo_page(server, owner, name)


def _repo_page(server: Server, owner: str, name: str) -> Response:
    with server.open(owner, name, ANONYMOUS, write=False) as here:
        full = escape(here.repo.full_name)
        pulls = here.session.scalars(
            select(Pull).filter_by(repo_id=here.repo.id).order_by(Pull.issue_id.desc())
        )
        listed = "".join(
            f'<li><a href="/{full}/pull/{pull.issue.number}">#{pull.issue.number} '
            f"{escape(pull.issue.title)}</a> "
            f"({'merged' if pull.merged_at else pull.issue.state})</li>"
            for pull in pulls
        )
        runs = here.session.scalars(
            select(Run).filter_by(repo_id=here.repo.id).order_by(Run.id.desc()).limit(20)
        )
        ran = "".join(
            f'<li><a href="/{full}/actions/runs/{run.id}">{escape(run.name)} #{run.number}</a>: '
            f"{escape(run.conclusion or run.status)} ({escape(run.title)})</li>"
            for run in runs
        )
        links = (
            f'<p><a href="/{full}/tree/{escape(here.repo.default_branch)}">Files</a> · '
            f'<a href="/{full}/issues">Open issues</a></p>'
        )
        body = f"<h2>Pull requests</h2><ul>{listed}</ul><h2>Workflow runs</h2><ul>{ran}</ul>"
        return page(here.repo.full_name, f"<h1>{full}</h1>{links}{body}")
