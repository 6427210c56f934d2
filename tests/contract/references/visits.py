"""Requests of Slipway and its scripts to Port and GitHub that no flow of `tests/faults` sends."""

import shlex
from contextlib import suppress
from pathlib import Path
from typing import Any

import requests
from github.Repository import Repository
from slipway.changes.policy_document import read_policy
from slipway.config import GitHubConfig, GitHubCredentials, load
from slipway.errors import RunNotFound
from slipway.github.models import Change
from slipway.github.repository import ServicesRepository
from slipway.runs.catalogs import newest_catalog

from sandbox.testing import OWN_ROUTES
from sandbox.testing import TOKEN as TOKEN_OF_OWN_ROUTES
from scripts import demo, github_app, port_definitions, port_setup
from scripts.adopt import AdoptConfig, Adoption
from scripts.apply_sandbox import PROTECTION, RULESET
from scripts.checks import github as github_checks
from scripts.checks import port as port_checks
from scripts.checks.result import Installation as Checked
from scripts.environment import port_client
from scripts.installing.config import Config
from scripts.installing.organization import check_owner, find_organization
from scripts.installing.repository import find_repositories, prepare
from scripts.port_setup import recorded_installations
from tests import person
from tests.contract.github.conftest import TOKEN, Services, change
from tests.entities import PLACE, service_files
from tests.faults.installation import Installation
from tests.faults.world import World
from tests.port_server import CREDENTIALS

Json = dict[str, Any]
PATH = "apps/shop/common_values.yaml"
UPSCALE: Change = change({PATH: "replicas: 3\n"})


def settings(installation: Installation) -> dict[str, str]:
    """Return the variables by which scripts find an installation."""
    return {
        "PORT_BASE_URL": installation.port.url,
        **{f"PORT_{name.upper()}": value for name, value in CREDENTIALS.items()},
        "GITHUB_API_URL": installation.github.api,
        "GITHUB_TOKEN": TOKEN,
        "SERVICES_REPO": "acme/services",
        "GITHUB_REPOSITORIES": '{"services": {"name": "acme/services"}}',
        "CLUSTER_URL": "http://127.0.0.1:9",
        "SANDBOX_TOKEN": TOKEN_OF_OWN_ROUTES,
    }


def merge_behind_a_check(installation: Installation) -> None:
    """Update the branch of an approved change, and merge it after its check."""
    services = Services(installation.github)
    services.push({PATH: "replicas: 2\n"})
    number = services.propose(UPSCALE)
    services.push({"apps/other/a.yaml": "a: 1\n"})
    services.pass_check(number)
    protection = {
        "enforce_admins": True,
        "required_pull_request_reviews": None,
        "required_status_checks": {"strict": True, "contexts": ["ci"]},
        "restrictions": None,
    }
    # PyGithub's `edit_protection` sends a null for each other setting, which is not described.
    services.github.requester.requestJsonAndCheck(
        "PUT", f"{services.github.url}/branches/main/protection", input=protection
    )
    assert services.merge(UPSCALE, number).state == "waiting"
    services.pass_check(number)
    assert services.merge(UPSCALE, number).state == "merged"


def propose_as_an_app(installation: Installation) -> None:
    """Propose a change as an App, with a reviewer that GitHub refuses."""
    granted = dict.fromkeys(["contents", "pull_requests", "issues", "actions"], "write")
    body = {"slug": "slipway-app", "account": "acme", "permissions": granted}
    app = installation.github.control("POST", "apps", body)
    admit(installation.repository, app["app_id"])
    config = GitHubConfig.model_validate(
        {**settings(installation), "GITHUB_SECRET_ID": "slipway/github"}
    )
    credentials = GitHubCredentials.model_validate(app)
    proposed = ServicesRepository(config, PLACE, lambda _fresh: credentials).propose(
        Change(
            entity=service_files("by-an-app"),
            branch="slipway/create_service/r_app",
            title="Scaffold",
            body="",
            files={"apps/by-an-app/portData.json": "{}\n"},
            labels=("slipway",),
            reviewers=("stranger",),
        )
    )
    assert proposed.notes
    checked = {
        **settings(installation),
        **{f"GITHUB_{name.upper()}": str(value) for name, value in app.items()},
    }
    assert all(result.ok for result in github_checks.permissions(Checked(checked)))


def protect(repository: Repository) -> None:
    """Protect the branches that people and Slipway push to, as docs/install.md requires."""
    ask = repository.requester.requestJsonAndCheck
    ask("PUT", f"{repository.url}/branches/main/protection", input=PROTECTION)
    ask("POST", f"{repository.url}/rulesets", input=RULESET)


def admit(repository: Repository, app_id: int) -> None:
    """Put an App on the bypass list of the ruleset for branches of runs."""
    ask = repository.requester.requestJsonAndCheck
    _, (ruleset,) = ask("GET", f"{repository.url}/rulesets")
    actor = {"actor_type": "Integration", "actor_id": app_id, "bypass_mode": "always"}
    body = {"bypass_actors": [*ruleset["bypass_actors"], actor]}
    ask("PUT", f"{repository.url}/rulesets/{ruleset['id']}", input=body)


def look_as_the_doctor(installation: Installation) -> None:
    """Run the doctor's checks of Port and GitHub."""
    repository = installation.repository
    repository.create_variable("SLIPWAY_REPORTS_URL", "https://reports.test/reports")
    protect(repository)
    repository.requester.requestJsonAndCheck(
        "PUT", f"{repository.url}/environments/slipway-restart", input={}
    )
    checked = Checked(settings(installation))
    for found in (port_checks.sign_in(checked), port_checks.definitions(checked)):
        assert found.ok, found
    assert all(result.ok for result in port_checks.role(checked))
    port_checks.consumers(checked)
    recorded_installations(port_client(checked.settings))
    for look in (
        github_checks.permissions,
        github_checks.repository,
        github_checks.protection,
        github_checks.own_branches,
        github_checks.workflow,
        github_checks.secrets,
        github_checks.restart_environment,
        github_checks.reports_variable,
    ):
        look(checked)


def install_again(installation: Installation) -> None:
    """Restore a blueprint and an action that an administrator has edited."""
    client = port_client(settings(installation))
    definitions = port_definitions.load_definitions()
    steps = port_setup.plan(client, definitions)
    for step in (steps[0], steps[-1]):
        assert step.wanted
        changed = {**step.wanted, "title": "By hand"}
        client.request("PUT", f"/v1/{step.kind}s/{step.identifier}", json=changed)
    for step in port_setup.plan(client, definitions):
        port_setup.apply(client, step)
    port_setup.write_record(client, definitions)
    retired = {**definitions[-1][1], "identifier": "retired_changes"}
    port_setup.apply(client, port_setup.Step("action", "retired_changes", None, retired, retired))
    port_setup.write_record(client, [*definitions, ("action", retired)])
    (step,) = (each for each in port_setup.plan(client, definitions) if each.change)
    assert step.change == "delete"
    port_setup.apply(client, step)


def prepare_an_installation(installation: Installation) -> None:
    """Look at Port and prepare the services repository, as `scripts/install` does."""
    services = Services(installation.github)
    config = Config.model_validate(
        {
            "aws": {"account": "000000000000", "region": "eu-west-1"},
            "port": {"base_url": installation.port.url},
            "github": {
                "api_url": installation.github.api,
                "repositories": {"services": {"name": services.github.full_name}},
            },
            "source": "webhook",  # the route of Kafka's credentials is not described
        }
    )
    organization = find_organization(config, CREDENTIALS)
    check_owner(config, organization, "000000000000/eu-west-1/slipway")
    (repository,) = find_repositories(config, TOKEN)
    first, again = (prepare(repository, f"https://{host}.test/reports") for host in ("a", "b"))
    assert first == again


def adopt_a_service(world: World) -> None:
    """Propose the metadata of a service, and write its entity after the merge."""
    world.commit({f"apps/{world.service}/common_values.yaml": "replicas: 2\n"})
    config: AdoptConfig = load(AdoptConfig)
    kind = newest_catalog(config).kinds["service"]
    policy = read_policy(config.records_bucket, config.policy_key).policy
    named = ("owner", "team", "project", "environment", "service_type")
    values = {world.service: {name: demo.INPUTS[name] for name in named}}
    adoption = Adoption(config, policy, kind, values, most=1, write=True)

    def state() -> str:
        return next(row.state for row in adoption.rows() if row.name == world.service)

    assert [state(), state()] == ["propose", "proposed"]
    world.open_pull().merge(merge_method="squash")
    assert state() == "entity"


def play_the_demo(world: World, folder: Path) -> None:
    """Create, merge and scale a service with the requests of `make demo`."""
    lines = (f"{name}={shlex.quote(value)}" for name, value in settings(world.at).items())
    (folder / "env").write_text("\n".join(lines))
    story = demo.Story(folder)
    assert story.free_name(world.service) == world.service
    inputs = {**demo.INPUTS, "service_name": world.service, "environment": "Test"}
    world.runs.append(story.execute("create_service", inputs))
    world.settle()
    run = story.proposed(world.runs[-1])
    assert run
    demo.merge(story.pull_request(run))
    world.settle()
    run_id = story.execute("upscale_service", {"step": 1}, entity=world.service)
    world.runs.append(run_id)
    world.settle()
    assert story.logs(run_id)
    assert story.properties(world.service)["replicas"] == demo.INPUTS["replicas"]
    assert story.issue(world.service) is None


def end_a_node_run(installation: Installation) -> None:
    """Log to a workflow node's run and end it, and try one that does not exist."""
    url = f"{installation.port.url}/_sandbox/node-runs"
    answer = requests.post(url, json={"payload": {}}, headers=OWN_ROUTES, timeout=300)
    run = answer.json()["nodeRun"]
    client = installation.port.client
    client.add_log(run, "one")
    client.update_run(run, status="SUCCESS", summary="Done.")
    with suppress(RunNotFound):
        client.add_log("wfnr_none", "one")


def make_an_app(installation: Installation) -> None:
    """Create an App from a manifest, and install it on the services repository."""
    github = installation.github
    page = github_app.Page(github.url, "acme", "Slipway made", team_reviewers=True)
    with page.serving():
        person.create_app(page.address)
    app = github_app.exchange(github.api, page.wait(), "acme")
    assert github_app.find_installations(github.api, app, ["acme/services"]).missing
    person.install_app(f"{app.url}/installations/new", "acme/services")
    found = github_app.find_installations(github.api, app, ["acme/services"])
    number = github_app.check_installed(app, found)
    assert not github_app.missing_permissions(github.api, app, number)


def read_people(installation: Installation) -> None:
    """Read the members of a team, as a policy with a team does."""
    client = installation.port.client
    assert client.team_members("devops") == ["devops@acme.example"]
    assert client.team_members("strangers") == []
    assert client.get_user("stranger@acme.example") is None
    assert "devops@acme.example" in [user.email for user in client.users()]
