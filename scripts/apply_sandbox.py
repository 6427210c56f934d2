"""Apply examples/sandbox, which calls the same module as on AWS, to a running sandbox.

Only the provider's endpoint differs, and the environment sets it. State and provider files are in
the sandbox's folder, so removing the sandbox removes them.
"""

import json
import os
import platform
import shlex
import shutil
import subprocess
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import boto3
import requests
import typer
from rich.console import Console

from scripts.cli import start
from scripts.confirm import confirm
from scripts.terraform_process import CHANGES_EXIT_STATUS, TerraformFailed, run_terraform

if TYPE_CHECKING:
    from mypy_boto3_sns import SNSClient

ROOT = Path(__file__).resolve().parent.parent
TEAM_MACHINE = "team-scaling-log"
_BASES = {"port": "PORT_BASE_URL", "github": "GITHUB_API_URL", "aws": "AWS_ENDPOINT_URL"}
REPORTS_VARIABLE = "SLIPWAY_REPORTS_URL"
# The settings that scripts/doctor needs. Slipway administers the sandbox's repositories.
PROTECTION = {
    "enforce_admins": False,
    "required_pull_request_reviews": {
        "dismiss_stale_reviews": True,
        "required_approving_review_count": 0,
    },
    "required_status_checks": None,
    "restrictions": None,
}
RULESET = {
    "name": "Branches of runs",
    "target": "branch",
    "enforcement": "active",
    "bypass_actors": [{"actor_type": "RepositoryRole", "actor_id": 5, "bypass_mode": "always"}],
    "conditions": {"ref_name": {"include": ["refs/heads/slipway/**/*"], "exclude": []}},
    "rules": [{"type": "creation"}, {"type": "update"}],
}
# More than Terraform's default of 10, because the provider mostly waits: 25 s for a queue alone.
PARALLELISM = "-parallelism=30"


class Mode(StrEnum):
    """Source of the runs: a SCRAM cluster such as Port's, MSK, or Port's webhook."""

    EXTERNAL = "external"
    MSK = "msk"
    WEBHOOK = "webhook"


@dataclass(frozen=True)
class OwnCatalog:
    """A catalog that replaces the shipped one, in its own installation.

    Attributes:
        dir: its folder.
        name_prefix: of the installation.
        identifier_prefix: of its actions in Port.
        repositories: key → `owner/name`.
        environments: environments in which services are repaired.
    """

    dir: Path
    name_prefix: str
    identifier_prefix: str
    repositories: Mapping[str, str]
    environments: tuple[str, ...]


class StackError(Exception):
    """Terraform failed, or the sandbox is down; the text has the fix."""


def read_environment(folder: Path) -> dict[str, str]:
    """Read the sandbox's `env` file.

    Raises:
        StackError: the sandbox is down.
    """
    file = folder / "env"
    if not file.exists():
        raise StackError(
            f"{file} does not exist because the sandbox is down. Start it: scripts/sandbox up"
        )
    return dict(word.split("=", 1) for word in shlex.split(file.read_text(), comments=True))


def knob(env: Mapping[str, str], part: str, method: str, path: str, body: object = None) -> Any:
    """Call one of the sandbox's own routes, `/_sandbox/…`.

    Args:
        env: the sandbox's `env` file.
        part: `port`, `github` or `aws`.
        method: of HTTP.
        path: below `/_sandbox/`.
        body: sent as JSON.

    Returns:
        The response, parsed from JSON; None for an empty response.
    """
    base = env[_BASES[part]].removesuffix("/api/v3")
    answer = requests.request(
        method,
        f"{base}/_sandbox/{path}",
        json=body,
        headers={"X-Sandbox-Token": env["SANDBOX_TOKEN"]},
        timeout=300,  # so that a busy machine never reaches it
    )
    answer.raise_for_status()
    return answer.json() if answer.content else None


def host_architecture() -> str:
    """Return this machine's architecture as Lambda names it.

    The sandbox runs functions as processes.
    """
    return "arm64" if platform.machine().lower() in {"arm64", "aarch64"} else "x86_64"


class Stack:
    """The stack in one sandbox.

    Args:
        folder: the sandbox's folder.
        mode: the Kafka mode; each has its own state.
        say: gets each line that Terraform prints.
        root: the repository of the stack, with its build.
        catalog: a catalog that replaces the shipped one.
    """

    def __init__(
        self,
        folder: Path,
        mode: Mode = Mode.EXTERNAL,
        say: Callable[[str], None] = print,
        root: Path = ROOT,
        catalog: OwnCatalog | None = None,
    ) -> None:
        self._env = read_environment(folder)
        self.catalog = catalog
        self._data = (folder / f"terraform-{catalog.name_prefix if catalog else mode}").resolve()
        self.mode = mode
        self._say = say
        self._root = root
        self._outputs: dict[str, Any] | None = None

    def init(self) -> None:
        """Copy the example and its module, and install the provider there.

        A copy, because two modes may be applied at the same time.
        """
        skip = shutil.ignore_patterns(".terraform", "*.tfstate*")
        # A file that was removed from a catalog must not stay in the copy.
        shutil.rmtree(self._data / "catalog", ignore_errors=True)
        for folder in ("terraform", "examples/sandbox", "catalog"):
            copy = self._data / folder
            shutil.copytree(self._root / folder, copy, dirs_exist_ok=True, ignore=skip)
        variables = self._data / "variables.json"
        variables.write_text(json.dumps(self._variables(), indent=2))
        self._terraform("init", "-input=false", "-lockfile=readonly")

    @property
    def catalog_copy(self) -> Path:
        """The copy of the catalog that is applied."""
        return self._data / "catalog"

    def apply(self) -> None:
        """Apply the stack to the sandbox's AWS, and write the secrets."""
        self._outputs = None
        # In parallel, because the sandbox loads Step Functions while Terraform plans.
        with ThreadPoolExecutor(max_workers=1) as pool:
            team_machine = pool.submit(self._make_team_machine)
            self._terraform("apply", "-auto-approve", PARALLELISM, *self._arguments(), secrets=True)
            team_machine.result()
        self._confirm_subscriptions()
        self._set_up_repositories()

    def _confirm_subscriptions(self) -> None:
        """Confirm all e-mail subscriptions, as approvers and an operator would."""
        sns = self._client("sns")
        for mail in knob(self._env, "aws", "GET", "emails"):
            link = mail["message"].rpartition(" ")[2]
            if "Action=ConfirmSubscription" in link and self._is_pending(sns, mail):
                confirm(sns, mail["topic"], link)

    @staticmethod
    def _is_pending(sns: "SNSClient", mail: dict[str, str]) -> bool:
        pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=mail["topic"])
        try:
            subscriptions = [one for page in pages for one in page["Subscriptions"]]
        except sns.exceptions.NotFoundException:
            return False  # The installation of this topic was removed.
        return any(
            one["Endpoint"] == mail["to"] and not one["SubscriptionArn"].startswith("arn:")
            for one in subscriptions
        )

    def _client(self, service: Literal["sns", "stepfunctions"]) -> Any:
        return boto3.client(
            service,
            endpoint_url=self._env["AWS_ENDPOINT_URL"],
            region_name=self._env["AWS_REGION"],
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 - the sandbox's AWS accepts any
        )

    def _set_up_repositories(self) -> None:
        """Set up the repositories, as an operator does after the first apply."""
        own = self.catalog.repositories.values() if self.catalog else [self._env["SERVICES_REPO"]]
        for name in own:
            self._set_up_repository(f"{self._env['GITHUB_API_URL']}/repos/{name}")

    def _set_up_repository(self, repository: str) -> None:
        variables = f"{repository}/actions/variables"
        body = {"name": REPORTS_VARIABLE, "value": self.outputs()["reports_url"]}
        with requests.Session() as session:
            session.headers["Authorization"] = f"Bearer {self._env['GITHUB_TOKEN']}"
            answer = session.post(variables, json=body, timeout=300)
            if answer.status_code == 409:  # The variable exists already.
                answer = session.patch(f"{variables}/{REPORTS_VARIABLE}", json=body, timeout=300)
            answer.raise_for_status()
            branch = f"{repository}/branches/main/protection"
            session.put(branch, json=PROTECTION, timeout=300).raise_for_status()
            if not session.get(f"{repository}/rulesets", timeout=300).json():
                made = session.post(f"{repository}/rulesets", json=RULESET, timeout=300)
                made.raise_for_status()

    def _make_team_machine(self) -> None:
        """Create the state machine of a team that subscribes to the change log.

        Its executions only keep their input. `subscriptions` in the sandbox's variables names it.
        """
        role_arn = "arn:aws:iam::000000000000:role/team"
        definition = {"StartAt": "Seen", "States": {"Seen": {"Type": "Succeed"}}}
        # Creating an identical state machine again is a success.
        self._client("stepfunctions").create_state_machine(
            name=TEAM_MACHINE, definition=json.dumps(definition), roleArn=role_arn
        )

    def has_changes(self) -> bool:
        """Return whether a second apply, without secrets, would change anything."""
        status = self._terraform("plan", "-detailed-exitcode", *self._arguments())
        return status == CHANGES_EXIT_STATUS

    def destroy(self) -> None:
        """Destroy the stack.

        Uses the state without a refresh, because nothing else changes a sandbox.
        """
        self._outputs = None
        options = ["-auto-approve", "-refresh=false", PARALLELISM]
        self._terraform("destroy", *options, *self._arguments())

    def outputs(self) -> dict[str, Any]:
        """Return the module's outputs by name.

        Cached, because Terraform starts the provider for it, which takes seconds.
        """
        if self._outputs is None:
            self._outputs = self._read_outputs()
        return self._outputs

    def _read_outputs(self) -> dict[str, Any]:
        done = subprocess.run(
            [ROOT / "scripts" / "terraform", "output", "-json"],
            cwd=self._data / "examples/sandbox",
            capture_output=True,
            text=True,
            check=True,
        )
        outputs: dict[str, Any] = json.loads(done.stdout).get("slipway", {}).get("value", {})
        return outputs

    def _arguments(self) -> list[str]:
        return ["-input=false", "-no-color", f"-var-file={self._data / 'variables.json'}"]

    def _variables(self) -> dict[str, Any]:
        return {
            "artifacts_dir": str(self._root / "build"),
            "mode": self.mode,
            "catalog": {**asdict(self.catalog), "dir": str(self.catalog.dir)}
            if self.catalog
            else None,
            "sandbox": {
                "aws_url": self._env["AWS_ENDPOINT_URL"],
                "port_url": self._env["PORT_BASE_URL"],
                "org_id": self._env["PORT_ORG_ID"],
                "github_api_url": self._env["GITHUB_API_URL"],
                "services_repo": self._env["SERVICES_REPO"],
                "cluster_url": self._env["CLUSTER_URL"],
                "kafka_bootstrap_servers": self._env["KAFKA_BOOTSTRAP_SERVERS"].split(","),
                "architecture": host_architecture(),
            },
        }

    def _secrets(self) -> dict[str, str]:
        """Return the ephemeral variables for the environment.

        They are not written to a file.
        """
        port = {
            "client_id": self._env["PORT_CLIENT_ID"],
            "client_secret": self._env["PORT_CLIENT_SECRET"],
        }
        values = {
            "port_credentials": port,
            "github_credentials": {"token": self._env["GITHUB_TOKEN"]},
            "kafka_credentials": self._kafka_credentials(port),
        }
        return {f"TF_VAR_{name}": json.dumps(value) for name, value in values.items()}

    def _credentials(self) -> dict[str, str]:
        """Return the credentials for the apply: the sandbox account's root."""
        return {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}

    def _kafka_credentials(self, port: dict[str, str]) -> dict[str, str]:
        """Get the credentials from Port, as for a real installation."""
        base = self._env["PORT_BASE_URL"]
        login = {"clientId": port["client_id"], "clientSecret": port["client_secret"]}
        answer = requests.post(f"{base}/v1/auth/access_token", json=login, timeout=300)
        answer.raise_for_status()
        token = answer.json()["accessToken"]
        answer = requests.get(
            f"{base}/v1/kafka-credentials",
            headers={"Authorization": f"Bearer {token}"},
            timeout=300,
        )
        answer.raise_for_status()
        credentials = answer.json()["credentials"]
        return {"username": credentials["username"], "password": credentials["password"]}

    def _terraform(self, *arguments: str, secrets: bool = False) -> int:
        # The operator's own profile or endpoints would lead Terraform out of the sandbox.
        own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        environment = {
            **own,
            **(self._secrets() if secrets else {}),
            "AWS_ENDPOINT_URL": self._env["AWS_ENDPOINT_URL"],
            **self._credentials(),
            "AWS_DEFAULT_REGION": self._env["AWS_REGION"],
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }
        folder = self._data / "examples/sandbox"
        try:
            return run_terraform(list(arguments), folder, environment, self._say)
        except TerraformFailed as error:
            raise StackError(str(error)) from None


def main(
    folder: Annotated[Path, typer.Option(envvar="SANDBOX_DIR", help="The sandbox's folder.")] = ROOT
    / ".sandbox",
    mode: Annotated[Mode, typer.Option(help="Source of the runs.")] = Mode.EXTERNAL,
) -> None:
    """Apply the Terraform stack to the running sandbox."""
    try:
        stack = Stack(folder, mode)
        stack.init()
        stack.apply()
    except StackError as error:
        Console(stderr=True).print(f"[red]apply_sandbox:[/red] {error}", soft_wrap=True)
        raise typer.Exit(1) from None


if __name__ == "__main__":
    start(main, "--mode msk")
