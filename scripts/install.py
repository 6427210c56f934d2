"""Install Slipway in an AWS account, from credentials to a checked stack.

Each step checks what exists and creates what is missing, so an interrupted run can be repeated as a
whole. Secrets are in the environment, in this process or in Secrets Manager.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from scripts import github_app
from scripts.cli import start
from scripts.installing import account as aws
from scripts.installing.config import Config, ask, read_config
from scripts.installing.memory import Memory
from scripts.installing.organization import Organization, check_owner, find_organization
from scripts.installing.repository import find_repositories, prepare
from scripts.installing.root import ROOT, secret_inputs, tfvars, write_root
from scripts.installing.stopped import Stopped
from scripts.terraform_process import TerraformFailed, run_terraform

CONFIG = "slipway.toml"
PLAN = "slipway.tfplan"
# Many of the resources only wait for AWS.
_PARALLELISM = "-parallelism=30"
_INSTALL_SECONDS = 1800
# Tasks of people after the installation: settings in GitHub, and e-mails from AWS.
_FOR_PEOPLE = ("GitHub: ", "AWS: e-mails", "AWS: repairs")
Json = dict[str, Any]


@dataclass
class Installer:
    """One run of the installation.

    Attributes:
        config: the configuration.
        folder: has Terraform's root and the stored progress.
        interactive: whether a person can answer questions.
        browser: whether to open one.
        say: shows the operator a line.
    """

    config: Config
    folder: Path
    interactive: bool
    browser: bool
    say: Callable[[str], None]
    app: dict[str, str] = field(default_factory=dict, repr=False)
    outputs: Json = field(default_factory=dict)
    changes: int = 0

    def __post_init__(self) -> None:
        self.memory = Memory(self.folder)

    @property
    def steps(self) -> list[tuple[str, Callable[[], None]]]:
        """All steps, by the name that the operator sees."""
        return [
            ("Check the AWS account", self.check_account),
            ("Check the services repositories", self.check_repositories),
            ("Check Port's credentials", self.check_port),
            ("Prepare Terraform", self.prepare_terraform),
            ("Find or create the GitHub App", self.find_app),
            ("Plan", self.plan),
            ("Apply", self.apply),
            ("Set up Port", self.set_up_port),
            ("Prepare the services repositories", self.prepare_repositories),
            ("Check the installation", self.examine),
        ]

    def run(self) -> None:
        """Run all steps.

        Raises:
            Stopped: a step cannot run.
            KeyboardInterrupt: the operator interrupted it.
        """
        if before := self.memory.get("step"):
            self.say(f"The last run of this installation ended at '{before}'.")
        for number, (name, step) in enumerate(self.steps, 1):
            self.say(f"\n{number} of {len(self.steps)}: {name}")
            self.memory.note(step=name)
            step()
        self.memory.note(step=None)

    @property
    def name(self) -> str:
        """Name of this installation in Port."""
        return f"{self.config.aws.account}/{self.config.aws.region}/{self.config.name_prefix}"

    @cached_property
    def account(self) -> aws.Account:
        """The AWS account."""
        return aws.check_account(self.config)

    @cached_property
    def organization(self) -> Organization:
        """The Port organisation."""
        return find_organization(self.config, self._port_credentials())

    @cached_property
    def token(self) -> str:
        """The operator's own GitHub token."""
        return self._secret("GITHUB_TOKEN", "A GitHub token that may prepare the repositories")

    def check_account(self) -> None:
        """Check the account and region, and that this folder belongs to them."""
        account = self.account
        cure = "Use a different --folder for a different installation."
        for name, value in (
            ("account", self.config.aws.account),
            ("region", self.config.aws.region),
            ("name_prefix", self.config.name_prefix),
        ):
            self.memory.hold_to(name, value, name, cure)
        if not self.memory.get("begun"):
            # After an apply, this installation may have created the role itself.
            self.memory.note(manage_log_role=not aws.has_log_role(account))
        self.say(f"Account {self.config.aws.account}, {self.config.aws.region}.")

    def check_repositories(self) -> None:
        """Check that the repositories exist."""
        found = find_repositories(self.config, self.token)
        self.say(f"{', '.join(each.full_name for each in found)}.")

    def check_port(self) -> None:
        """Verify Port's credentials, and find organisation and brokers."""
        number = self.organization.number
        cure = "Use that organisation's credentials, or another --folder and name_prefix."
        self.memory.hold_to("org_id", number, "Port organisation", cure)
        check_owner(self.config, self.organization, self.name)
        brokers = ", ".join(self.organization.brokers)
        self.say(f"Organisation {number}{f', brokers {brokers}' if brokers else ''}.")

    def prepare_terraform(self) -> None:
        """Write the root, and check that existing resources are its own."""
        if not (ROOT / "build" / "artifacts.json").exists():
            raise Stopped(
                "The functions are not built.",
                str(ROOT / "build"),
                "Run scripts/build, or use a release archive, which includes them.",
            )
        self._write_root({})
        self._terraform(["init", "-input=false", "-no-color", "-reconfigure"])
        known: list[str] = []
        self._terraform(["state", "list"], known.append, missing_is_empty=True)
        if not any(line.startswith("module.slipway") for line in known):
            aws.check_unused(self.account, self.config)
        self.say(f"Inputs are in {self.folder}.")

    def find_app(self) -> None:
        """Find or create the App, and check on which repositories it is."""
        names, api = self.config.github.names, self.config.github.api_url
        known = self._known_app()
        if "token" in known:
            self.app = known
            return
        if not known:
            known = self._create_app()
        app = github_app.App(
            int(known["app_id"]), "", self.memory.get("app_url") or "", known["private_key"]
        )
        found = github_app.wait_for_installation(
            api, app, names, self.say, seconds=_INSTALL_SECONDS, browser=self.browser
        )
        number = github_app.check_installed(app, found)
        lacking = (
            github_app.missing_permissions(api, app, each) for each in found.numbers.values()
        )
        if missing := sorted({name for names in lacking for name in names}):
            raise Stopped(
                f"The App may not write {', '.join(missing)}.",
                app.url or f"App {app.number}",
                "Give it these permissions as read and write, and accept them in the installation.",
            )
        self.app = app.credentials(number)
        self._write_root(found.numbers)
        self.say(f"App {app.number} is installed on {', '.join(names)}.")

    def plan(self) -> None:
        """Plan, and show what would change."""
        self._terraform(
            ["plan", "-input=false", "-no-color", _PARALLELISM, f"-out={PLAN}"], secrets=True
        )
        shown: list[str] = []
        self._terraform(["show", "-json", PLAN], shown.append)
        counted = _changes(json.loads("".join(shown)))
        self.changes = sum(counted.values())
        for (change, kind), number in sorted(counted.items()):
            self.say(f"  {change:7} {number:4}  {kind}")
        self.say(
            f"{self.changes} resources would change. All arguments: "
            f"scripts/terraform -chdir={self.folder} show {PLAN}"
        )

    def apply(self) -> None:
        """Apply the plan, after a person agrees."""
        plan = self.folder / PLAN
        if self.changes and self.interactive and not typer.confirm("Apply this plan?"):
            plan.unlink()
            raise Stopped("The plan was not applied.", str(self.folder), "Run it again to apply.")
        if self.changes:
            self.memory.note(begun=True)
            arguments = ["apply", "-input=false", "-no-color", _PARALLELISM, PLAN]
            self._terraform(arguments, self.say, secrets=True)
        plan.unlink()
        shown: list[str] = []
        self._terraform(["output", "-json", "slipway"], shown.append)
        self.outputs = json.loads("".join(shown))
        self._drop_key()

    def set_up_port(self) -> None:
        """Install blueprints, actions and automations."""
        done = self._command("port_setup", "--apply")
        if done.returncode:
            raise Stopped(
                f"Port was not set up: {done.stderr.strip()}",
                self.config.port.base_url,
                "Correct it and run the command again.",
            )
        self.say(done.stdout.strip())

    def prepare_repositories(self) -> None:
        """Propose the workflows, and set the address of reports."""
        for repository in find_repositories(self.config, self.token):
            pull = prepare(repository, self.outputs["reports_url"])
            self.say(
                f"Merge {pull}" if pull else f"{repository.full_name} has Slipway's workflows."
            )

    def examine(self) -> None:
        """Run scripts/doctor, and show the remaining tasks."""
        done = self._command("doctor", "--json", "--name-prefix", self.config.name_prefix)
        try:
            results: list[Json] = json.loads(done.stdout)
        except ValueError:
            raise Stopped(
                f"scripts/doctor failed: {done.stderr.strip()}", "scripts/doctor", "Run it by hand."
            ) from None
        faults = [each for each in results if each["ok"] is False]
        for each in faults:
            self.say(f"✗ {each['name']}: {each['detail']}\n    {each['cure']}")
        if wrong := [each["name"] for each in faults if not each["name"].startswith(_FOR_PEOPLE)]:
            raise Stopped(
                f"scripts/doctor finds faults: {', '.join(wrong)}.",
                f"account {self.config.aws.account}, {self.config.aws.region}",
                "Apply the fixes above, then run the command again.",
            )
        left = f"{len(faults)} checks need a person; the fixes are above." if faults else ""
        self.say(f"Slipway is installed. {left}")

    def _secret(self, name: str, prompt: str) -> str:
        if value := os.environ.get(name):
            return value
        if self.interactive:
            return str(typer.prompt(prompt, hide_input=True))
        raise Stopped(f"{name} is not set.", "the environment", f"Set {name}: {prompt.lower()}.")

    def _port_credentials(self) -> dict[str, str]:
        if "PORT_CLIENT_SECRET" not in os.environ:
            place = self.config.port.secret_id or f"{self.config.name_prefix}/port"
            kept = aws.read_secret(self.account, place) or {}
            if kept.keys() >= {"client_id", "client_secret"}:
                return kept
        return {
            "client_id": self._secret("PORT_CLIENT_ID", "Port's client id"),
            "client_secret": self._secret("PORT_CLIENT_SECRET", "Port's client secret"),
        }

    def _known_app(self) -> dict[str, str]:
        """Return credentials from environment, Terraform's secret or a past run."""
        named = {"app_id": "GITHUB_APP_ID", "private_key": "GITHUB_PRIVATE_KEY"}
        given = {field: os.environ[name] for field, name in named.items() if os.environ.get(name)}
        if given.keys() == named.keys():
            return given
        for place in (f"{self.config.name_prefix}/github", aws.key_name(self.config)):
            if kept := aws.read_secret(self.account, place):
                return kept
        return {}

    def _create_app(self) -> dict[str, str]:
        github = self.config.github
        page = github_app.Page(
            github_app.web_address(github.api_url),
            github.organization,
            github_app.app_name(github.organization),
            team_reviewers=github.asks_teams,
        )
        made = github_app.create(
            page, github.api_url, github.organization, self.say, browser=self.browser
        )
        # GitHub shows the key once, so it is stored before anything else can fail.
        aws.keep_key(self.account, self.config, made.credentials())
        self.memory.note(app_url=made.url)
        return made.credentials()

    def _drop_key(self) -> None:
        kept = aws.read_secret(self.account, f"{self.config.name_prefix}/github") or {}
        if kept.get("app_id") == self.app.get("app_id"):
            aws.drop_key(self.account, self.config)

    def _inputs(self, numbers: dict[str, int]) -> Json:
        managed = bool(self.memory.get("manage_log_role"))
        return tfvars(self.config, self.organization, manage_log_role=managed, numbers=numbers)

    def _write_root(self, numbers: dict[str, int]) -> None:
        write_root(self.folder, self.config, self._inputs(numbers))

    def _terraform(
        self,
        arguments: list[str],
        say: Callable[[str], None] = lambda _line: None,
        *,
        secrets: bool = False,
        missing_is_empty: bool = False,
    ) -> None:
        environment = {
            **os.environ,
            "AWS_REGION": self.config.aws.region,
            **(secret_inputs(self.organization, self.app) if secrets else {}),
        }
        try:
            run_terraform(arguments, self.folder, environment, say)
        except TerraformFailed as error:
            if missing_is_empty and "No state file was found" in str(error):
                return
            raise Stopped(
                str(error),
                str(self.folder),
                "Correct what Terraform reports and run the command again: it continues from "
                "there.",
            ) from None

    def _command(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another command of `scripts/`; the environment overrides `env`."""
        if folder := self.config.terraform.get("catalog_dir"):
            arguments = (*arguments, "--catalog", str(self.folder / folder))
        settings = {
            "PORT_BASE_URL": self.config.port.base_url,
            "PORT_CLIENT_ID": self.organization.credentials["client_id"],
            "PORT_CLIENT_SECRET": self.organization.credentials["client_secret"],
            "PORT_ORG_ID": self.organization.number,
            "KAFKA_BOOTSTRAP_SERVERS": ",".join(self.organization.brokers),
            "KAFKA_USERNAME": self.organization.kafka.get("username", ""),
            "KAFKA_PASSWORD": self.organization.kafka.get("password", ""),
            "GITHUB_API_URL": self.config.github.api_url,
            "GITHUB_TOKEN": self.token,
            "GITHUB_REPOSITORIES": json.dumps(self._inputs({})["github"]["repositories"]),
            # Port records which installation owns its actions, and scripts/port_setup refuses
            # others.
            "INSTALLATION": self.name,
            "AWS_REGION": self.config.aws.region,
            **self.account.environment(),
            **self.outputs.get("port_setup", {}),
        }
        return subprocess.run(
            [sys.executable, "-m", f"scripts.{name}", *arguments],
            cwd=ROOT,
            env=settings | os.environ,
            capture_output=True,
            text=True,
            check=False,
        )


def _changes(plan: Json) -> Counter[tuple[str, str]]:
    """Count a plan's changes, by verb and type of resource."""
    counted: Counter[tuple[str, str]] = Counter()
    for resource in plan.get("resource_changes", []):
        actions = [each for each in resource["change"]["actions"] if each not in {"no-op", "read"}]
        if actions:
            counted["replace" if len(actions) > 1 else actions[0], resource["type"]] += 1
    return counted


def configured(config_file: Path | None, folder: Path, *, yes: bool) -> Config:
    """Return the configuration: of a file, a past run, or answers.

    Raises:
        Stopped: there is none, or it is not valid.
    """
    file = config_file or folder / CONFIG
    if config_file or file.exists():
        return read_config(file)
    if yes:
        raise Stopped("No configuration was found.", str(file), "Give one with --config FILE.")
    found = aws.Account()
    return ask(file, found.number(), found.session.region_name)


def main(
    *,
    config: Annotated[
        Path | None, typer.Option(help="TOML file with the settings of docs/install.md.")
    ] = None,
    folder: Annotated[
        Path, typer.Option(help="Folder for this installation's Terraform root.")
    ] = Path("slipway-installation"),
    yes: Annotated[bool, typer.Option("--yes", help="Apply without asking.")] = False,
    browser: Annotated[bool, typer.Option(help="Open a browser for the GitHub App.")] = True,
) -> None:
    """Install Slipway; after an interruption, run it again to continue."""
    console = Console(highlight=False, soft_wrap=True)
    errors = Console(stderr=True, highlight=False, soft_wrap=True)

    def say(text: str) -> None:
        console.print(Text(text))

    place = folder.resolve()
    try:
        settings = configured(config, place, yes=yes)
        Installer(settings, place, not yes, browser and not yes, say).run()
    except Stopped as error:
        errors.print(Text(f"install: {error}", style="red"))
        raise typer.Exit(1) from None
    except (KeyboardInterrupt, typer.Abort):
        text = f"install: Interrupted [{place}] Run the same command again to continue."
        errors.print(Text(text, style="red"))
        raise typer.Exit(130) from None


if __name__ == "__main__":
    start(main, "--config slipway.toml --yes")
