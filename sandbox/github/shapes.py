"""Convert rows and git objects to GitHub's JSON, with required fields.

`tests/contract/references` holds the answers to that description.
"""

import base64
from typing import Any

from sandbox.github import urls
from sandbox.github.git import Commit, FileChange, Person
from sandbox.github.store import (
    Account,
    App,
    Comment,
    Job,
    Label,
    Repo,
    Review,
    Run,
    Status,
    Team,
    Workflow,
)

Json = dict[str, Any]
# Of accounts and Apps, of which the server keeps no dates.
FOUNDED = "2026-01-01T00:00:00Z"


def node_id(kind: str, number: int) -> str:
    """Return a GraphQL node id."""
    return base64.urlsafe_b64encode(f"{kind}:{number}".encode()).decode()


# What GitHub links to from an account and from a repository: field → path below its own address.
_ACCOUNT_URLS = {
    "followers_url": "/followers",
    "following_url": "/following{/other_user}",
    "gists_url": "/gists{/gist_id}",
    "starred_url": "/starred{/owner}{/repo}",
    "subscriptions_url": "/subscriptions",
    "organizations_url": "/orgs",
    "repos_url": "/repos",
    "events_url": "/events{/privacy}",
    "received_events_url": "/received_events",
}
_REPOSITORY_URLS = {
    "archive_url": "/{archive_format}{/ref}",
    "assignees_url": "/assignees{/user}",
    "blobs_url": "/git/blobs{/sha}",
    "branches_url": "/branches{/branch}",
    "collaborators_url": "/collaborators{/collaborator}",
    "comments_url": "/comments{/number}",
    "commits_url": "/commits{/sha}",
    "compare_url": "/compare/{base}...{head}",
    "contents_url": "/contents/{+path}",
    "contributors_url": "/contributors",
    "deployments_url": "/deployments",
    "downloads_url": "/downloads",
    "events_url": "/events",
    "forks_url": "/forks",
    "git_commits_url": "/git/commits{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "hooks_url": "/hooks",
    "issue_comment_url": "/issues/comments{/number}",
    "issue_events_url": "/issues/events{/number}",
    "issues_url": "/issues{/number}",
    "keys_url": "/keys{/key_id}",
    "labels_url": "/labels{/name}",
    "languages_url": "/languages",
    "merges_url": "/merges",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "pulls_url": "/pulls{/number}",
    "releases_url": "/releases{/id}",
    "stargazers_url": "/stargazers",
    "statuses_url": "/statuses/{sha}",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "tags_url": "/tags",
    "teams_url": "/teams",
    "trees_url": "/git/trees{/sha}",
}


def account(row: Account) -> Json:
    """Return a user, bot or organisation, as other objects name it."""
    url = urls.api(f"/users/{row.login}")
    return {
        "login": row.login,
        "id": row.id,
        "node_id": node_id("User", row.id),
        "type": row.type,
        "site_admin": False,
        "url": url,
        "html_url": urls.web(f"/{row.login}"),
        "avatar_url": urls.web(f"/_sandbox/avatar/{row.id}"),
        "gravatar_id": "",
        **{field: url + below for field, below in _ACCOUNT_URLS.items()},
    }


def app(row: App, owner: Account) -> Json:
    """Return a GitHub App."""
    return {
        "id": row.id,
        "node_id": node_id("App", row.id),
        "slug": row.slug,
        "name": row.name,
        "owner": account(owner),
        "description": None,
        "external_url": row.url,
        "html_url": urls.web(f"/apps/{row.slug}"),
        "created_at": FOUNDED,
        "updated_at": FOUNDED,
        "permissions": dict(row.permissions),
        "events": [],
    }


def installation(row: App, owner: Account) -> Json:
    """Return an App's installation.

    Each App has one installation, with the App's id.
    """
    url = urls.api(f"/app/installations/{row.id}")
    return {
        "id": row.id,
        "app_id": row.id,
        "app_slug": row.slug,
        "target_id": owner.id,
        "target_type": owner.type,
        "account": account(owner),
        "permissions": dict(row.permissions),
        "repository_selection": "all" if row.repositories is None else "selected",
        "events": [],
        "access_tokens_url": f"{url}/access_tokens",
        "repositories_url": urls.api("/installation/repositories"),
        "html_url": urls.web(f"/organizations/{row.account}/settings/installations/{row.id}"),
        "single_file_name": None,
        "created_at": FOUNDED,
        "updated_at": FOUNDED,
        "suspended_by": None,
        "suspended_at": None,
    }


def team(row: Team) -> Json:
    """Return a team."""
    return {
        "id": row.id,
        "node_id": node_id("Team", row.id),
        "slug": row.slug,
        "name": row.slug,
        "description": None,
        "privacy": "closed",
        "permission": "push",
        "url": urls.api(f"/orgs/{row.org}/teams/{row.slug}"),
        "html_url": urls.web(f"/orgs/{row.org}/teams/{row.slug}"),
        "members_url": urls.api(f"/orgs/{row.org}/teams/{row.slug}/members{{/member}}"),
        "repositories_url": urls.api(f"/orgs/{row.org}/teams/{row.slug}/repos"),
        "type": "organization",
    }


def minimal_repository(row: Repo) -> Json:
    """Return a repository, as workflow runs name it."""
    url = urls.api(f"/repos/{row.full_name}")
    page = urls.web(f"/{row.full_name}")
    return {
        "id": row.id,
        "node_id": node_id("Repository", row.id),
        "name": row.name,
        "full_name": row.full_name,
        "owner": account(row.owner_account or Account(id=0, login=row.owner, type="Organization")),
        "private": row.private,
        "visibility": "private" if row.private else "public",
        "description": row.description,
        "homepage": None,
        "language": None,
        "license": None,
        "mirror_url": None,
        "fork": row.parent_id is not None,
        "archived": False,
        "disabled": False,
        "default_branch": row.default_branch,
        "delete_branch_on_merge": row.delete_branch_on_merge,
        "has_issues": True,
        "has_projects": False,
        "has_wiki": False,
        "has_pages": False,
        "has_downloads": False,
        "has_discussions": False,
        "size": 0,
        **dict.fromkeys(
            ["forks", "forks_count", "stargazers_count", "watchers", "watchers_count"], 0
        ),
        "open_issues": row.last_number,
        "open_issues_count": row.last_number,
        "created_at": row.created_at,
        "updated_at": row.pushed_at,
        "pushed_at": row.pushed_at,
        "url": url,
        "html_url": page,
        "svn_url": page,
        "clone_url": f"{page}.git",
        "git_url": f"{page}.git",
        "ssh_url": f"{page}.git",
        **{field: url + below for field, below in _REPOSITORY_URLS.items()},
    }


def repository(row: Repo) -> Json:
    """Return a repository, with the settings that its administrators see."""
    return {
        **minimal_repository(row),
        "allow_auto_merge": False,
        "allow_merge_commit": row.allow_merge_commit,
        "allow_squash_merge": row.allow_squash_merge,
        "allow_rebase_merge": row.allow_rebase_merge,
    }


def full_repository(row: Repo) -> Json:
    """Return a repository that was asked for by its name."""
    return {**repository(row), "network_count": 0, "subscribers_count": 0}


def _person(person: Person) -> Json:
    return {"name": person.name, "email": person.email, "date": person.date}


def git_commit(commit: Commit, path: str) -> Json:
    """Return a commit of the git database API."""
    page = f"{path.removeprefix('/repos')}/commit"
    return {
        "sha": commit.sha,
        "node_id": base64.urlsafe_b64encode(f"C:{commit.sha}".encode()).decode(),
        "url": urls.api(f"{path}/git/commits/{commit.sha}"),
        "html_url": urls.web(f"{page}/{commit.sha}"),
        "author": _person(commit.author),
        "committer": _person(commit.committer),
        "message": commit.message,
        "tree": {"sha": commit.tree, "url": urls.api(f"{path}/git/trees/{commit.tree}")},
        "parents": [
            {
                "sha": sha,
                "url": urls.api(f"{path}/git/commits/{sha}"),
                "html_url": urls.web(f"{page}/{sha}"),
            }
            for sha in commit.parents
        ],
        "verification": _verification(commit),
    }


def _verification(commit: Commit) -> Json:
    """https://docs.github.com/rest/commits/commits#get-a-commit has the reasons."""
    reason = "unsigned" if not commit.signature else "unknown_key"
    return {
        "verified": commit.verified,
        "reason": "valid" if commit.verified else reason,
        "signature": commit.signature or None,
        "payload": commit.payload or None,
        "verified_at": commit.committer.date if commit.verified else None,
    }


def commit(value: Commit, path: str) -> Json:
    """Return a commit of the repository API."""
    inner = git_commit(value, path)
    url = urls.api(f"{path}/commits")
    shared = ("url", "author", "committer", "message", "tree", "verification")
    return {
        "sha": value.sha,
        "node_id": inner["node_id"],
        "url": f"{url}/{value.sha}",
        "html_url": inner["html_url"],
        "comments_url": f"{url}/{value.sha}/comments",
        "commit": {**{key: inner[key] for key in shared}, "comment_count": 0},
        "author": None,
        "committer": None,
        "parents": [{**parent, "url": f"{url}/{parent['sha']}"} for parent in inner["parents"]],
    }


def file_change(change: FileChange, path: str, revision: str) -> Json:
    """Return a changed file of a commit, comparison or pull request."""
    page = path.removeprefix("/repos")
    return {
        "sha": change.sha,
        "filename": change.path,
        "status": change.status,
        "additions": change.additions,
        "deletions": change.deletions,
        "changes": change.additions + change.deletions,
        "blob_url": urls.web(f"{page}/blob/{revision}/{change.path}"),
        "raw_url": urls.web(f"{page}/raw/{revision}/{change.path}"),
        "contents_url": urls.api(f"{path}/contents/{change.path}") + f"?ref={revision}",
        **({"patch": change.patch} if change.patch is not None else {}),
        **({"previous_filename": change.previous} if change.previous else {}),
    }


def reference(name: str, sha: str, kind: str, path: str) -> Json:
    """Return a git reference."""
    return {
        "ref": name,
        "node_id": base64.urlsafe_b64encode(f"Ref:{name}".encode()).decode(),
        "url": urls.api(f"{path}/git/{name}"),
        "object": {"sha": sha, "type": kind, "url": urls.api(f"{path}/git/{kind}s/{sha}")},
    }


def label(row: Label, path: str) -> Json:
    """Return a label."""
    return {
        "id": row.id,
        "node_id": node_id("Label", row.id),
        "url": urls.api(f"{path}/labels/{row.name}"),
        "name": row.name,
        "color": row.color,
        "default": False,
        "description": row.description,
    }


def comment(row: Comment, path: str, user: Json | None) -> Json:
    """Return a comment on an issue or pull request."""
    page = f"{path.removeprefix('/repos')}/issues/{row.issue_number}"
    return {
        "id": row.id,
        "node_id": node_id("IssueComment", row.id),
        "url": urls.api(f"{path}/issues/comments/{row.id}"),
        "html_url": urls.web(page) + f"#issuecomment-{row.id}",
        "issue_url": urls.api(f"{path}/issues/{row.issue_number}"),
        "body": row.body,
        "user": user,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "author_association": "MEMBER",
    }


def review(row: Review, path: str, user: Json | None) -> Json:
    """Return a review of a pull request."""
    page = f"{path.removeprefix('/repos')}/pull/{row.pull_number}"
    address = urls.web(page) + f"#pullrequestreview-{row.id}"
    pull = urls.api(f"{path}/pulls/{row.pull_number}")
    return {
        "id": row.id,
        "node_id": node_id("PullRequestReview", row.id),
        "user": user,
        "body": row.body,
        "state": row.state,
        "commit_id": row.commit_id,
        "submitted_at": row.submitted_at,
        "html_url": address,
        "pull_request_url": pull,
        "_links": {"html": {"href": address}, "pull_request": {"href": pull}},
        "author_association": "MEMBER",
    }


def status(row: Status, path: str, creator: Json | None) -> Json:
    """Return a commit status."""
    return {
        "id": row.id,
        "node_id": node_id("StatusContext", row.id),
        "url": urls.api(f"{path}/statuses/{row.sha}"),
        "avatar_url": creator["avatar_url"] if creator else None,
        "state": row.state,
        "context": row.context,
        "description": row.description,
        "target_url": row.target_url,
        "creator": creator,
        "created_at": row.created_at,
        "updated_at": row.created_at,
    }


def workflow(row: Workflow, path: str) -> Json:
    """Return a workflow file."""
    return {
        "id": row.id,
        "node_id": node_id("Workflow", row.id),
        "name": row.name,
        "path": row.path,
        "state": row.state,
        "created_at": row.created_at,
        "updated_at": row.created_at,
        "url": urls.api(f"{path}/actions/workflows/{row.id}"),
        "html_url": urls.web(f"{path.removeprefix('/repos')}/blob/main/{row.path}"),
        "badge_url": urls.web(f"{path.removeprefix('/repos')}/workflows/{row.name}/badge.svg"),
    }


def run(row: Run, repo: Repo, workflow_path: str, actor: Json | None) -> Json:
    """Return a workflow run; GitHub also shows its commit, which this server leaves null."""
    path = f"/repos/{repo.full_name}"
    url = urls.api(f"{path}/actions/runs/{row.id}")
    where = minimal_repository(repo)
    return {
        "id": row.id,
        "node_id": node_id("WorkflowRun", row.id),
        "name": row.name,
        "display_title": row.title,
        "run_number": row.number,
        "run_attempt": 1,
        "event": row.event,
        "status": row.status,
        "conclusion": row.conclusion,
        "workflow_id": row.workflow_id,
        "path": workflow_path,
        "head_branch": row.head_branch,
        "head_sha": row.head_sha,
        "head_commit": None,
        "actor": actor,
        "triggering_actor": actor,
        "created_at": row.created_at,
        "run_started_at": row.created_at,
        "updated_at": row.updated_at,
        "pull_requests": [],
        "repository": where,
        "head_repository": where,
        "url": url,
        "html_url": urls.web(f"/{repo.full_name}/actions/runs/{row.id}"),
        **{f"{name}_url": f"{url}/{name}" for name in ("jobs", "logs", "cancel", "rerun")},
        "artifacts_url": f"{url}/artifacts",
        "check_suite_url": urls.api(f"{path}/check-suites/{row.id}"),
        "workflow_url": urls.api(f"{path}/actions/workflows/{row.workflow_id}"),
    }


def job(row: Job, path: str, head_sha: str) -> Json:
    """Return a job of a workflow run."""
    return {
        "id": row.id,
        "node_id": node_id("Job", row.id),
        "run_id": row.run_id,
        "run_attempt": 1,
        "run_url": urls.api(f"{path}/actions/runs/{row.run_id}"),
        "head_sha": head_sha,
        "name": row.name,
        "status": row.status,
        "conclusion": row.conclusion,
        "created_at": row.started_at,
        "started_at": row.started_at,
        "completed_at": row.completed_at,
        "steps": list(row.steps),
        "labels": ["ubuntu-latest"],
        "runner_name": "sandbox",
        "url": urls.api(f"{path}/actions/jobs/{row.id}"),
        "html_url": urls.web(f"{path.removeprefix('/repos')}/actions/runs/{row.run_id}"),
    }
