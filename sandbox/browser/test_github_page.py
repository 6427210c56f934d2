"""The sandbox's GitHub in a narrow and a wide window."""

from collections.abc import Iterator

import pytest
from github.PullRequest import PullRequest
from playwright.sync_api import BrowserContext, expect

from sandbox.browser.fixtures import LIMIT_MS
from tests.contract.github.conftest import GitHubServer, Services, change, running

BODY = """Requested by **developer**.

| What | Value |
| --- | --- |
| Replicas | <code>6</code> |

<details><summary>Inputs</summary>

```json
{"a-long-line": "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}
```

</details>
"""


@pytest.fixture(scope="module")
def github(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHubServer]:
    folder = tmp_path_factory.mktemp("github")
    (folder / "seed").mkdir()
    with running(folder, folder / "seed") as server:
        yield server


@pytest.fixture
def pull(github: GitHubServer) -> PullRequest:
    """A pull request with a long path and a long line."""
    services = Services(github)
    path = "apps/shop/a-folder-with-quite-a-long-name/common_values.yaml"
    services.push({path: "replicas: 6\n"})
    opened = services.slipway.propose(change({path: f"replicas: 8  # {'x' * 80}\n"}))
    found = services.github.get_pull(opened.number)
    found.edit(body=BODY)
    services.github.add_to_collaborators("devops", "push")
    return found


@pytest.mark.parametrize("width", [390, 1280])
def test_pull_request_page_fits_the_window(
    context: BrowserContext, pull: PullRequest, width: int
) -> None:
    page = context.new_page()
    page.set_viewport_size({"width": width, "height": 800})

    page.goto(pull.html_url)

    expect(page.get_by_text("Inputs")).to_be_visible()
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(wide) <= 0
    removed = page.get_by_text("-replicas: 6")
    expect(removed).to_have_css("background-color", "rgb(255, 235, 233)")


def test_pull_request_page_closes_by_its_button(context: BrowserContext, pull: PullRequest) -> None:
    page = context.new_page()
    page.set_default_timeout(LIMIT_MS)
    page.goto(pull.html_url)

    page.get_by_role("button", name="Close pull request").click()

    expect(page.get_by_text("closed", exact=True)).to_be_visible()
    expect(page.get_by_role("button")).to_have_count(0)
