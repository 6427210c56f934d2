"""Branch protection: what it asks for, and whether a pull request or a push fulfils it.

https://docs.github.com/rest/branches/branch-protection
"""

from typing import Any

from sqlalchemy import select

from sandbox.github import rulesets, urls
from sandbox.github.errors import ApiError
from sandbox.github.permissions import role
from sandbox.github.server import RepoSession, teams_of
from sandbox.github.store import CheckRun, Pull, Review, Status

# Settings that would silently not be enforced are refused by name.
_ENFORCED = {
    "required_status_checks",
    "required_pull_request_reviews",
    "enforce_admins",
    "restrictions",
    "allow_force_pushes",
    "allow_deletions",
}
_ENFORCED_REVIEWS = {"required_approving_review_count", "dismiss_stale_reviews"}
_PASSED = {"success", "neutral", "skipped"}


def put(here: RepoSession, branch: str, body: dict[str, Any]) -> dict[str, Any]:
    """Set a branch's protection.

    Raises:
        ApiError: 422, naming a setting that this server does not enforce.
    """
    reviews = body.get("required_pull_request_reviews") or {}
    unknown = [name for name, value in body.items() if value and name not in _ENFORCED]
    unknown += [name for name, value in reviews.items() if value and name not in _ENFORCED_REVIEWS]
    unknown += ["restrictions"] if body.get("restrictions") else []
    if unknown:
        raise ApiError(422, f"The sandbox does not enforce: {', '.join(unknown)}")
    checks = body.get("required_status_checks")
    here.repo.protections[branch] = {
        "enforce_admins": bool(body.get("enforce_admins")),
        "allow_force_pushes": bool(body.get("allow_force_pushes")),
        "allow_deletions": bool(body.get("allow_deletions")),
        # Set by a route of its own.
        "signatures": bool((here.repo.protections.get(branch) or {}).get("signatures")),
        "strict": bool(checks and checks.get("strict")),
        "contexts": None if checks is None else _contexts(checks),
        "reviews": None
        if body.get("required_pull_request_reviews") is None
        else {
            "count": reviews.get("required_approving_review_count", 1),
            "dismiss_stale": bool(reviews.get("dismiss_stale_reviews")),
        },
    }
    return protection_json(here, branch)


def _contexts(checks: dict[str, Any]) -> list[str]:
    named = [check["context"] for check in checks.get("checks") or []]
    return list(dict.fromkeys([*named, *(checks.get("contexts") or [])]))


def protection_json(here: RepoSession, branch: str) -> dict[str, Any]:
    """Return a branch's protection.

    Raises:
        ApiError: 404, the branch has none.
    """
    rules = here.repo.protections.get(branch)
    if rules is None:
        raise ApiError(404, "Branch not protected")
    url = urls.api(f"{here.path}/branches/{branch}/protection")
    body: dict[str, Any] = {
        "url": url,
        **{
            name: {"enabled": rules[name]}
            for name in ("enforce_admins", "allow_force_pushes", "allow_deletions")
        },
        "required_linear_history": {"enabled": False},
        "required_signatures": signatures_json(here, branch),
    }
    body["enforce_admins"]["url"] = f"{url}/enforce_admins"
    if rules["contexts"] is not None:
        body["required_status_checks"] = {
            "url": f"{url}/required_status_checks",
            "strict": rules["strict"],
            "contexts": rules["contexts"],
            "contexts_url": f"{url}/required_status_checks/contexts",
            "checks": [{"context": name, "app_id": None} for name in rules["contexts"]],
        }
    if rules["reviews"] is not None:
        body["required_pull_request_reviews"] = {
            "url": f"{url}/required_pull_request_reviews",
            "dismiss_stale_reviews": rules["reviews"]["dismiss_stale"],
            "require_code_owner_reviews": False,
            "required_approving_review_count": rules["reviews"]["count"],
        }
    return body


def signatures_json(here: RepoSession, branch: str) -> dict[str, Any]:
    """Return whether a branch takes only signed commits.

    Raises:
        ApiError: 404, the branch has no protection.
    """
    rules = here.repo.protections.get(branch)
    if rules is None:
        raise ApiError(404, "Branch not protected")
    url = urls.api(f"{here.path}/branches/{branch}/protection/required_signatures")
    return {"url": url, "enabled": bool(rules.get("signatures"))}


def require_signatures(here: RepoSession, branch: str) -> dict[str, Any]:
    """Have a branch take only signed commits.

    Raises:
        ApiError: 404, the branch has no protection.
    """
    signatures_json(here, branch)
    here.repo.protections[branch] = {**here.repo.protections[branch], "signatures": True}
    return signatures_json(here, branch)


def summary(here: RepoSession, branch: str) -> dict[str, Any]:
    """Return what a branch itself shows of its protection."""
    contexts = (here.repo.protections.get(branch) or {}).get("contexts")
    return {
        "enabled": branch in here.repo.protections,
        "required_status_checks": {
            "enforcement_level": "off" if contexts is None else "everyone",
            "contexts": contexts or [],
            "checks": [{"context": name, "app_id": None} for name in contexts or []],
        },
    }


def is_admin(here: RepoSession) -> bool:
    """Return whether the actor administers the repository."""
    teams = teams_of(here.session, here.repo.owner, here.actor.login)
    return role(here.actor, here.repo, teams) == "admin"


def bypassed(here: RepoSession, branch: str) -> bool:
    """Return whether the branch's protection lets this actor through."""
    rules = here.repo.protections.get(branch)
    return rules is None or (is_admin(here) and not rules["enforce_admins"])


def refuse_push(here: RepoSession, branch: str, *, forced: bool, deleted: bool) -> None:
    """Check a change of a branch that no pull request brings.

    Raises:
        ApiError: 422, the branch is protected against it, or a ruleset is.
    """
    rulesets.refuse(here, branch, deleted=deleted)
    rules = here.repo.protections.get(branch)
    if rules is None:
        return
    if deleted and not rules["allow_deletions"]:
        raise ApiError(422, "Cannot delete a protected branch")
    if forced and not rules["allow_force_pushes"]:
        raise ApiError(422, "Cannot force-push to a protected branch")
    if bypassed(here, branch):
        return
    if rules["reviews"] is not None:
        raise ApiError(422, "Changes must be made through a pull request.")
    if rules["contexts"]:
        count = len(rules["contexts"])
        raise ApiError(422, f"{count} of {count} required status checks are expected.")


def unmet(here: RepoSession, pull: Pull) -> list[str]:
    """Return what branch protection still requires, in GitHub's sentences."""
    rules = here.repo.protections.get(pull.base_ref)
    if rules is None:
        return []
    sentences = []
    if rules["reviews"] is not None:
        latest = latest_reviews(here, pull)
        if "CHANGES_REQUESTED" in latest.values():
            sentences.append("Changes have been requested.")
        wanted = rules["reviews"]["count"]
        if list(latest.values()).count("APPROVED") < wanted:
            plural = "review is" if wanted == 1 else "reviews are"
            sentences.append(
                f"At least {wanted} approving {plural} required by reviewers with write access."
            )
    if rules.get("signatures"):
        own = here.git.log(pull.head_sha, without=pull.base_sha)
        if not all(commit.verified for commit in own):
            sentences.append("Commits must have verified signatures.")
    results = check_results(here, pull.head_sha)
    for context in rules["contexts"] or []:
        state = results.get(context)
        if state is None or state == "pending":
            sentences.append(f'Required status check "{context}" is expected.')
        elif state not in _PASSED:
            sentences.append(f'Required status check "{context}" is failing.')
    return sentences


def latest_reviews(here: RepoSession, pull: Pull) -> dict[str, str]:
    """Reviewer with write access → the state of the last review that decides anything."""
    rows = here.session.scalars(
        select(Review)
        .filter_by(repo_id=here.repo.id, pull_number=pull.issue.number)
        .order_by(Review.id)
    )
    latest = {row.user: row.state for row in rows if row.state != "COMMENTED"}
    repo = here.repo
    return {
        login: state
        for login, state in latest.items()
        if {repo.collaborators.get(login)}.union(
            repo.teams.get(team) for team in teams_of(here.session, repo.owner, login)
        )
        & {"admin", "write"}
    }


def must_be_current(here: RepoSession, pull: Pull) -> bool:
    """Return whether the base branch takes only what contains its newest commit.

    GitHub asks for this only together with a required check:
    https://docs.github.com/repositories/configuring-branches-and-merges-in-your-repository/managing-protected-branches/about-protected-branches#require-status-checks-before-merging
    """
    rules = here.repo.protections.get(pull.base_ref)
    return bool(rules and rules["strict"] and rules["contexts"])


def check_results(here: RepoSession, sha: str) -> dict[str, str]:
    """Context or check name → its last state or conclusion; `pending` while it runs."""
    statuses = here.session.scalars(
        select(Status).filter_by(repo_id=here.repo.id, sha=sha).order_by(Status.id)
    )
    results = {row.context: row.state for row in statuses}
    runs = here.session.scalars(
        select(CheckRun).filter_by(repo_id=here.repo.id, sha=sha).order_by(CheckRun.id)
    )
    return results | {row.name: row.conclusion or "pending" for row in runs}


def failing(here: RepoSession, sha: str) -> bool:
    """Return whether any check of a commit has failed or still runs."""
    return any(state not in _PASSED for state in check_results(here, sha).values())
