"""The product's flow, by PyGithub: tree, commit, reference, pull request, labels, merge."""

import pytest
from github import GithubException, InputGitTreeElement
from github.PullRequest import PullRequest
from github.Repository import Repository

from sandbox.tests.github.harness import Live, commit, open_pull
from sandbox.tests.http import HTTP


def refused(status: int, text: str, error: pytest.ExceptionInfo[GithubException]) -> None:
    assert error.value.status == status
    assert text in str(error.value.data)


def test_one_commit_becomes_a_merged_pull_request(repo: Repository) -> None:
    sha = commit(repo, {"apps/x/a.json": "{}\n", "apps/x/b.yaml": "b: 1\n"}, "slipway/x/r_1")

    pull = repo.create_pull(base="main", head="slipway/x/r_1", title="Add x", body="Why")
    pull.add_to_labels("slipway", "create")
    pull.create_review_request(reviewers=["developer"], team_reviewers=[])
    status = pull.merge(sha=sha)

    assert status.merged
    merged = repo.get_pull(pull.number)
    assert (merged.state, merged.merged, merged.merged_by.login) == ("closed", True, "slipway[bot]")
    assert merged.merge_commit_sha == repo.get_branch("main").commit.sha == status.sha
    assert {file.filename for file in merged.get_files()} == {"apps/x/a.json", "apps/x/b.yaml"}
    assert {label.name for label in merged.labels} == {"slipway", "create"}
    assert [user.login for user in merged.requested_reviewers] == ["developer"]
    assert repo.get_contents("apps/x/b.yaml").decoded_content == b"b: 1\n"  # type: ignore[union-attr]


def test_the_same_input_makes_the_same_commit(repo: Repository) -> None:
    one = commit(repo, {"a": "1"}, "one")
    other = commit(repo, {"a": "1"}, "other")
    # The message names the branch; everything else is equal.
    assert repo.get_git_commit(one).tree.sha == repo.get_git_commit(other).tree.sha
    with pytest.raises(GithubException) as error:
        commit(repo, {"a": "1"}, "one")
    refused(422, "Reference already exists", error)
    assert repo.get_branch("one").commit.sha == one


def test_a_null_sha_deletes_from_the_base_tree(repo: Repository) -> None:
    commit(repo, {"apps/x/a": "1", "apps/x/b": "2"}, "main")
    commit(repo, {"apps/x/a": None}, "less")
    paths = [entry.path for entry in repo.get_git_tree("less", recursive=True).tree]
    assert paths == ["README.md", "apps", "apps/x", "apps/x/b"]
    with pytest.raises(GithubException) as error:
        commit(repo, {"apps/x/none": None}, "never")
    refused(422, "BadObjectState", error)


@pytest.mark.parametrize("path", ["../x", "/x", "a//b", ".git/config", "a/./b", "a/\nb"])
def test_no_path_leaves_the_tree(repo: Repository, path: str) -> None:
    with pytest.raises(GithubException) as error:
        commit(repo, {path: "x"}, "bad")
    assert error.value.status == 422


def test_a_second_pull_request_for_a_branch_is_refused(repo: Repository) -> None:
    first = open_pull(repo)
    with pytest.raises(GithubException) as error:
        repo.create_pull(base="main", head="feature", title="Again")
    refused(422, "A pull request already exists for acme:feature.", error)
    found = list(repo.get_pulls(state="all", head="acme:feature"))
    assert [pull.number for pull in found] == [first.number]


def test_a_pull_request_without_commits_is_refused(repo: Repository) -> None:
    repo.create_git_ref("refs/heads/same", repo.get_branch("main").commit.sha)
    with pytest.raises(GithubException) as error:
        repo.create_pull(base="main", head="same", title="Nothing")
    refused(422, "No commits between main and same", error)


def test_unknown_reviewers_are_refused_as_a_whole(repo: Repository) -> None:
    pull = open_pull(repo)
    with pytest.raises(GithubException) as error:
        pull.create_review_request(reviewers=["developer", "nobody"])
    refused(422, "Reviews may only be requested from collaborators", error)
    assert repo.get_pull(pull.number).requested_reviewers == []


def test_teams_of_the_seeded_repository_can_review(live: Live) -> None:
    pull = open_pull(live.client().get_repo("acme/services"), branch="teams")
    pull.create_review_request(reviewers=["devops"], team_reviewers=["payments"])
    users, teams = pull.get_review_requests()
    assert ([u.login for u in users], [t.slug for t in teams]) == (["devops"], ["payments"])
    pull.edit(state="closed")


def test_a_merge_with_an_old_head_is_refused(repo: Repository) -> None:
    pull = open_pull(repo)
    old = pull.head.sha
    commit(repo, {"apps/one/more": "x"}, "next", base="feature")
    repo.get_git_ref("heads/feature").edit(repo.get_branch("next").commit.sha)
    with pytest.raises(GithubException) as error:
        pull.merge(sha=old)
    refused(409, "Head branch was modified", error)
    assert repo.get_pull(pull.number).head.sha != old


def test_conflicting_branches_cannot_be_merged(repo: Repository) -> None:
    pull = open_pull(repo, {"README.md": "mine\n"})
    commit(repo, {"README.md": "yours\n"}, "main")
    seen = repo.get_pull(pull.number)
    assert (seen.mergeable, seen.mergeable_state) == (False, "dirty")
    with pytest.raises(GithubException) as error:
        pull.merge()
    refused(405, "not mergeable", error)


def test_squash_makes_one_commit(repo: Repository) -> None:
    pull = open_pull(repo)
    sha = pull.merge(merge_method="squash", commit_title="One").sha
    made = repo.get_git_commit(sha)
    assert (len(made.parents), made.message) == (1, "One")
    repo.edit(allow_rebase_merge=False)
    with pytest.raises(GithubException) as error:
        open_pull(repo, branch="other", files={"z": "z"}).merge(merge_method="rebase")
    refused(405, "Rebase merges are not allowed", error)


def test_closing_reopening_commenting(repo: Repository) -> None:
    pull = open_pull(repo)
    pull.create_issue_comment("Hello")
    pull.edit(state="closed")
    assert repo.get_pull(pull.number).merged is False
    pull.edit(state="open", title="Other")
    assert (pull.title, [c.body for c in pull.get_issue_comments()]) == ("Other", ["Hello"])


def update_branch(pull: PullRequest) -> None:
    """Update as Slipway does; REST's route is not imitated."""
    given = {"pullRequestId": pull.raw_data["node_id"], "expectedHeadOid": pull.head.sha}
    pull.requester.graphql_named_mutation(
        "updatePullRequestBranch", given, "pullRequest { number }"
    )


def test_update_branch_brings_the_base_in(repo: Repository) -> None:
    pull = open_pull(repo)
    commit(repo, {"new": "n"}, "main")
    update_branch(pull)
    seen = repo.get_pull(pull.number)
    assert (seen.commits, seen.changed_files) == (2, 1)


def test_references_move_forward_only(repo: Repository) -> None:
    first = repo.get_branch("main").commit.sha
    commit(repo, {"a": "1"}, "main")
    with pytest.raises(GithubException) as error:
        repo.get_git_ref("heads/main").edit(first)
    refused(422, "Update is not a fast forward", error)
    repo.get_git_ref("heads/main").edit(first, force=True)
    assert [r.ref for r in repo.get_git_matching_refs("heads/ma")] == ["refs/heads/main"]


def test_protection_blocks_until_approved_and_checked(live: Live, repo: Repository) -> None:
    pull = open_pull(repo)
    repo.get_branch("main").edit_protection(
        required_approving_review_count=1, contexts=["ci"], enforce_admins=True
    )
    with pytest.raises(GithubException) as error:
        pull.merge()
    refused(405, "At least 1 approving review is required", error)
    refused(405, 'Required status check "ci" is expected', error)
    assert repo.get_pull(pull.number).mergeable_state == "blocked"

    devops = live.client(live.as_user("devops")).get_repo(repo.full_name)
    devops.get_pull(pull.number).create_review(event="APPROVE")
    repo.get_commit(pull.head.sha).create_status("success", context="ci")

    assert repo.get_pull(pull.number).mergeable_state == "clean"
    assert pull.merge().merged


def test_branch_may_be_behind_without_a_required_check(repo: Repository) -> None:
    pull = open_pull(repo)
    commit(repo, {"new": "n"}, "main")
    repo.get_branch("main").edit_protection(strict=True, contexts=[], enforce_admins=True)

    assert repo.get_pull(pull.number).mergeable_state == "clean"
    assert pull.merge().merged


def test_branch_behind_is_refused_with_a_required_check(repo: Repository) -> None:
    pull = open_pull(repo)
    commit(repo, {"new": "n"}, "main")
    repo.get_branch("main").edit_protection(strict=True, contexts=["ci"], enforce_admins=True)
    repo.get_commit(pull.head.sha).create_status("success", context="ci")

    assert repo.get_pull(pull.number).mergeable_state == "behind"
    with pytest.raises(GithubException) as error:
        pull.merge()
    refused(405, "1 of 1 required status checks are expected.", error)


def test_rebase_makes_each_commit_again_on_the_base(repo: Repository) -> None:
    pull = open_pull(repo)
    commit(repo, {"apps/one/more": "x"}, "next", base="feature")
    repo.get_git_ref("heads/feature").edit(repo.get_branch("next").commit.sha)
    base = commit(repo, {"new": "n"}, "main")

    sha = pull.merge(merge_method="rebase").sha

    last = repo.get_git_commit(sha)
    first = repo.get_git_commit(last.parents[0].sha)
    assert [last.message, first.message] == ["change next", "change feature"]
    assert [parent.sha for parent in first.parents] == [base]
    assert {"apps/one/more", "new"} <= {
        entry.path for entry in repo.get_git_tree(sha, recursive=True).tree
    }


def test_rebase_is_refused_when_the_branch_has_a_merge(repo: Repository) -> None:
    pull = open_pull(repo)
    commit(repo, {"new": "n"}, "main")
    update_branch(pull)

    with pytest.raises(GithubException) as error:
        repo.get_pull(pull.number).merge(merge_method="rebase")
    refused(405, "Pull Request is not mergeable", error)


def test_repository_keeps_a_merge_method(repo: Repository) -> None:
    with pytest.raises(GithubException) as error:
        repo.edit(allow_merge_commit=False, allow_squash_merge=False, allow_rebase_merge=False)
    refused(422, "need to allow at least one merge strategy", error)


def test_unenforced_protection_is_refused_by_name(repo: Repository) -> None:
    with pytest.raises(GithubException) as error:
        repo.get_branch("main").edit_protection(require_code_owner_reviews=True)
    refused(422, "require_code_owner_reviews", error)


def test_compare_and_history(repo: Repository) -> None:
    commit(repo, {"apps/a/x": "1\n2\n"}, "topic")
    found = repo.compare("main", "topic")
    assert (found.status, found.ahead_by, found.files[0].patch) == (
        "ahead", 1, "@@ -0,0 +1,2 @@\n+1\n+2",
    )  # fmt: skip
    assert [c.sha for c in repo.get_commits(sha="topic", path="apps/a")] == [found.commits[0].sha]
    assert repo.get_commit("topic").stats.additions == 2


def test_contents_are_written_with_the_old_sha(repo: Repository) -> None:
    repo.create_file("docs/a.md", "add", "one")
    with pytest.raises(GithubException) as error:
        repo.update_file("docs/a.md", "wrong", "two", sha="0" * 40)
    assert error.value.status == 409


def test_folder_listing_shows_links_and_submodules_as_files(repo: Repository) -> None:
    link = repo.create_git_blob("README.md", "utf-8").sha
    elsewhere = "1" * 40
    base = repo.get_git_commit(repo.get_branch("main").commit.sha)
    elements = [
        InputGitTreeElement("apps/x/file", "100755", "blob", content="x"),
        InputGitTreeElement("apps/x/link", "120000", "blob", sha=link),
        InputGitTreeElement("apps/x/module", "160000", "commit", sha=elsewhere),
        InputGitTreeElement("apps/x/sub/file", "100644", "blob", content="y"),
    ]
    tree = repo.create_git_tree(elements, base_tree=base.tree)
    made = repo.create_git_commit("Links", tree, [base])

    listed = repo.get_contents("apps/x", ref=made.sha)

    assert isinstance(listed, list)
    assert {entry.name: (entry.type, bool(entry.download_url)) for entry in listed} == {
        "file": ("file", True),
        "link": ("symlink", True),
        # https://docs.github.com/rest/repos/contents: for backwards compatibility
        "module": ("file", False),
        "sub": ("dir", False),
    }
    module = repo.get_contents("apps/x/module", ref=made.sha)
    assert not isinstance(module, list)
    assert (module.type, module.sha) == ("submodule", elsewhere)


def test_pages_have_links(live: Live, repo: Repository) -> None:
    for number in range(5):
        repo.create_issue(f"Issue {number}")
    answer = live.call("GET", f"/repos/{repo.full_name}/issues?per_page=2&page=2")
    assert len(answer.json()) == 2
    assert set(answer.links) == {"prev", "first", "next", "last"}
    assert repo.get_issues().totalCount == 5


def body_of(page: str) -> str:
    """The pull request's own text, without the page around it."""
    return page.partition("<section>")[2].partition("</section>")[0]


def test_pull_request_page_keeps_the_html_that_github_allows(repo: Repository) -> None:
    pull = open_pull(repo)
    pull.edit(
        body="**bold** ~~old~~\n\n<details><summary>More</summary>\n\n<code>a: 1</code>\n\n"
        "</details>\n\n| a |\n|---|\n| <kbd>b</kbd> |\n"
    )

    body = body_of(HTTP.get(pull.html_url).text)

    assert "<strong>bold</strong> <s>old</s>" in body
    assert "<details><summary>More</summary>" in body
    assert "<code>a: 1</code>" in body
    assert "<td><kbd>b</kbd></td>" in body


@pytest.mark.parametrize(
    "html",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        '<a href="javascript:alert(1)">x</a>',
        '<p style="position:fixed" id="x" class="x">x</p>',
        "<iframe src=https://evil.example></iframe>",
        "<form action=https://evil.example><input></form>",
        "<!-- hidden -->",
    ],
)
def test_pull_request_page_drops_html_that_github_drops(repo: Repository, html: str) -> None:
    pull = open_pull(repo)
    pull.edit(title="<script>alert(1)</script>", body=f"before\n\n{html}\n\nafter {html}")

    page = HTTP.get(pull.html_url)

    assert "<script" not in page.text
    body = body_of(page.text)
    assert "before" in body
    assert "after" in body
    for dropped in ("onerror", "javascript", "style=", "id=", "<iframe", "<form", "hidden"):
        assert dropped not in body
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_pull_request_page_colours_the_diff(repo: Repository) -> None:
    commit(repo, {"apps/one/values.yaml": "replicas: 1\nname: <b>\n"}, "main")
    pull = open_pull(repo, {"apps/one/values.yaml": "replicas: 2\nname: <b>\n"})

    page = HTTP.get(pull.html_url).text

    assert '<span class="removed">-replicas: 1</span>' in page
    assert '<span class="added">+replicas: 2</span>' in page
    assert '<span class="same"> name: &lt;b&gt;</span>' in page


def test_front_page_links_to_each_repository(live: Live, repo: Repository) -> None:
    page = HTTP.get(f"{live.url}/").text

    assert f'<a href="/{repo.full_name}">{repo.full_name}</a>' in page


def test_repository_page_links_to_its_open_issues(live: Live, repo: Repository) -> None:
    page = HTTP.get(f"{live.url}/{repo.full_name}").text

    assert f'<a href="/{repo.full_name}/issues">Open issues</a>' in page


def test_pull_request_page_names_who_merged(repo: Repository) -> None:
    pull = open_pull(repo)
    assert "wants to merge" in HTTP.get(pull.html_url).text

    pull.merge()

    merged_by = repo.get_pull(pull.number).merged_by.login
    page = HTTP.get(pull.html_url).text
    assert f"<b>{merged_by}</b> merged" in page
    assert "wants to merge" not in page


def test_the_pull_request_page_merges(live: Live, repo: Repository) -> None:
    pull = open_pull(repo)
    own_page = {"sec-fetch-site": "same-origin"}
    assert "Approve and merge" in HTTP.get(pull.html_url).text

    answer = HTTP.post(f"{pull.html_url}/merge", headers=own_page, follow_redirects=True)

    assert answer.status_code == 200
    assert "Approve and merge" not in answer.text
    assert repo.get_pull(pull.number).merged_by.login == "devops"
    again = HTTP.post(f"{pull.html_url}/merge", headers=own_page)
    assert again.status_code == 405
    assert "not mergeable" in again.text


def test_pull_request_page_closes(repo: Repository) -> None:
    pull = open_pull(repo)
    own_page = {"sec-fetch-site": "same-origin"}
    assert "Close pull request" in HTTP.get(pull.html_url).text

    answer = HTTP.post(f"{pull.html_url}/close", headers=own_page, follow_redirects=True)

    assert "Close pull request" not in answer.text
    closed = repo.get_pull(pull.number)
    assert (closed.state, closed.merged) == ("closed", False)


def test_merge_button_is_disabled_when_branches_conflict(repo: Repository) -> None:
    pull = open_pull(repo, {"README.md": "theirs\n"})
    commit(repo, {"README.md": "ours\n"}, "main")

    page = HTTP.get(pull.html_url).text

    assert "disabled>Approve and merge" in page
    assert "has conflicts with the base branch" in page


@pytest.mark.parametrize("button", ["merge", "close"])
def test_no_other_page_merges_or_closes(repo: Repository, button: str) -> None:
    pull = open_pull(repo)

    for site in ({}, {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}):
        assert HTTP.post(f"{pull.html_url}/{button}", headers=site).status_code == 403

    assert repo.get_pull(pull.number).state == "open"


def test_a_merge_that_is_refused_leaves_no_review(live: Live, repo: Repository) -> None:
    pull = open_pull(repo)
    repo.get_branch("main").edit_protection(contexts=["ci"], enforce_admins=True)

    answer = HTTP.post(f"{pull.html_url}/merge", headers={"sec-fetch-site": "same-origin"})

    assert answer.status_code == 405
    assert "Required status check" in answer.text
    assert pull.get_reviews().totalCount == 0


def test_fork_of_the_same_owner_has_the_same_head(repo: Repository) -> None:
    # https://docs.github.com/rest/pulls/pulls#create-a-pull-request: `head_repo`
    name = f"{repo.name}-fork"
    fork = repo.create_fork(organization="acme", name=name)
    commit(fork, {"a": "1"}, "topic")
    pull = repo.create_pull(base="main", head="acme:topic", head_repo=name, title="Fork")
    commit(fork, {"a": "2"}, "more")
    fork.get_git_ref("heads/topic").edit(fork.get_branch("more").commit.sha, force=True)

    (listed,) = repo.get_pulls(head="acme:topic")

    assert fork.fork
    assert (listed.number, listed.head.repo.id) == (pull.number, fork.id)
    assert listed.head.sha == fork.get_branch("topic").commit.sha != pull.head.sha
    assert "topic" not in {branch.name for branch in repo.get_branches()}
    commit(repo, {"a": "3"}, "topic")
    assert repo.create_pull(base="main", head="topic", title="Own").head.repo.id == repo.id


def test_base_of_a_closed_pull_request_stays(repo: Repository) -> None:
    commit(repo, {"a": "1"}, "topic")
    commit(repo, {"b": "1"}, "other")
    pull = repo.create_pull(base="main", head="topic", title="Topic")
    pull.merge()

    with pytest.raises(GithubException) as error:
        pull.edit(base="other")

    refused(422, "Cannot change the base branch of a closed pull request.", error)


def test_issue_search_leads_to_the_only_issue(live: Live, repo: Repository) -> None:
    repo.create_issue("Service shop is ill", body="**Why**", labels=["remediation"])
    repo.create_issue("Service shop-eu is ill", labels=["remediation"])
    repo.create_issue("A shop question")
    url = f"{live.url}/{repo.full_name}/issues"

    found = HTTP.get(url, params={"q": "is:open label:remediation shop"}, follow_redirects=True)

    assert "Service shop is ill" in found.text
    assert "<strong>Why</strong>" in found.text
    assert "No open issue" in HTTP.get(url, params={"q": "label:remediation none"}).text
    assert "shop question" in HTTP.get(url).text
