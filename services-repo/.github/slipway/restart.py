"""Restarts a service. Run by the workflow `slipway-restart.yml`.

How a service is restarted is the team's to say: by a script `restart.sh` beside this one, or by
CLUSTER_URL if the cluster has an address for it. The service's name is looked at before any of them
sees it, and is never part of a command.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from slipway_report.api import Patience, Refused, ReportError, call
from slipway_report.catalogue import Templates
from slipway_report.commands import ODD, Job
from slipway_report.subject import is_service

HOOK = Path(__file__).with_name("restart.sh")
_JOB = Job("Slipway restart")
_ENVIRONMENT = re.compile(r"[A-Za-z0-9 _-]{0,100}")


@dataclass(frozen=True)
class Service:
    """The service to restart.

    Attributes:
        name: its name.
        environment: as in the form, from its portData.json; may be empty.
        namespace: as the catalogue has it, from the variable NAMESPACE.
    """

    name: str
    environment: str
    namespace: str


def main(environment: Mapping[str, str], hook: Path = HOOK) -> int:
    """Restart, and say in the job's log what was done; 1 if a person has to act.

    Args:
        environment: of the workflow's step.
        hook: the team's script.
    """
    try:
        service = find_service(environment)
        if hook.is_file():
            run_hook(hook, service, environment)
        else:
            ask_cluster(service, environment.get("CLUSTER_URL", "").strip())
    except ReportError as error:
        return _JOB.fail(f"The service was not restarted. {error}")
    except ODD as error:
        return _JOB.fail_oddly(error)
    _JOB.notice(f"The restart of {service.name} was carried out.")
    return 0


def find_service(environment: Mapping[str, str]) -> Service:
    """The service that was asked for, if this repository has it.

    Raises:
        ReportError: it has none of that name, or its portData.json cannot be read.
    """
    event = json.loads(Path(environment["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
    name = str((event.get("inputs") or {}).get("service", ""))
    file = Path(environment["GITHUB_WORKSPACE"], "apps", name, "portData.json")
    if not is_service(name) or not file.is_file():
        raise ReportError(f"There is no service {name[:100]!r} in apps/.")
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        typed = str(data.get("environment") or "")
    except (ValueError, AttributeError, RecursionError):
        raise ReportError(f"apps/{name}/portData.json is no JSON object. Restore it.") from None
    if not _ENVIRONMENT.fullmatch(typed):
        raise ReportError(f"The environment in apps/{name}/portData.json is {typed[:100]!r}.")
    # Only the namespace is wanted of what the catalogue shows.
    templates = Templates.read({"NAMESPACE": environment.get("NAMESPACE", "")})
    namespace = str(templates.properties(name, typed)["namespace"])
    return Service(name, typed, namespace)


def run_hook(hook: Path, service: Service, environment: Mapping[str, str]) -> None:
    """Run the team's script with SERVICE, NAMESPACE and ENVIRONMENT in its environment.

    Raises:
        ReportError: it has failed.
    """
    told = {
        "SERVICE": service.name,
        "NAMESPACE": service.namespace,
        "ENVIRONMENT": service.environment,
    }
    _JOB.say(f"Running {hook.name} for {service.name} in namespace {service.namespace}")
    # From a list, so that no shell reads a word of it; `bash` as GitHub's own steps have it.
    command = ["bash", "--noprofile", "--norc", "-euo", "pipefail", str(hook)]
    ended = subprocess.run(command, env={**environment, **told}, check=False)  # noqa: S603 - its words are fixed
    if ended.returncode:
        raise ReportError(f"{hook.name} ended with status {ended.returncode}: its output is above.")


def ask_cluster(service: Service, url: str) -> None:
    """Have the cluster restart it: `POST CLUSTER_URL/services/<service>/restart`.

    Raises:
        ReportError: no address is set, the cluster refuses, or it does not answer.
    """
    if not url:
        raise ReportError(
            "This repository does not say how: add .github/slipway/restart.sh, or set the "
            "repository variable CLUSTER_URL. README.md shows both."
        )
    target = f"{url.rstrip('/')}/services/{service.name}/restart"
    try:
        call("POST", target, patience=Patience(60), headers={})
    except Refused as error:
        raise ReportError(f"{error}. Correct this, then re-run this job.") from None


if __name__ == "__main__":
    sys.exit(main(os.environ))
