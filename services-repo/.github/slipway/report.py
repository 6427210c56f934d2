"""Tells Port what became of a pull request of Slipway. Run by the workflow `slipway-report.yml`.

Everything comes from the environment: nothing that people can write is ever part of a command.
"""

import json
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slipway_report.api import Patience, Refused, ReportError
from slipway_report.catalogue import Templates
from slipway_report.commands import ODD, Job
from slipway_report.github import GitHub, PullRequest
from slipway_report.port import Port
from slipway_report.report import Outcome, Report

_JOB = Job("Slipway report")
# Set in the repository's settings, and what for.
_NEEDED = {
    "PORT_BASE_URL": "the repository variable of this name (as https://api.port.io)",
    "PORT_CLIENT_ID": "the repository secret of this name",
    "PORT_CLIENT_SECRET": "the repository secret of this name",
}


def main(environment: Mapping[str, str]) -> int:
    """Report, and say in the job's log what was done; 1 if a person has to act."""
    try:
        outcome = report(environment)
    except Refused as error:
        return _JOB.fail(f"{error}. Correct this, then re-run this job.")
    except ReportError as error:
        return _JOB.fail(str(error))
    except ODD as error:
        return _JOB.fail_oddly(error)
    if outcome.status is None:
        _JOB.notice(f"There is no run to report to: {outcome.message}")
    else:
        _JOB.notice(f"The run's outcome is {outcome.status}: {outcome.message}")
    return 0


def report(environment: Mapping[str, str]) -> Outcome:
    """Report the pull request that the event is about.

    Raises:
        ReportError: the report could not be made.
    """
    missing = [name for name in _NEEDED if not environment.get(name)]
    if missing:
        raise ReportError("; ".join(f"{name} is empty: set {_NEEDED[name]}" for name in missing))
    templates = Templates.read(environment)
    patience = Patience()
    repository = environment["GITHUB_REPOSITORY"]
    github = GitHub(
        environment["GITHUB_API_URL"], repository, environment["GITHUB_TOKEN"], patience
    )
    port = Port(
        environment["PORT_BASE_URL"],
        environment["PORT_CLIENT_ID"],
        environment["PORT_CLIENT_SECRET"],
        patience,
    )
    event = json.loads(Path(environment["GITHUB_EVENT_PATH"]).read_text(encoding="utf-8"))
    pull = find_pull_request(environment, event, github)
    return Report(pull, github, port, templates, _JOB.say).make()


def find_pull_request(
    environment: Mapping[str, str], event: Mapping[str, Any], github: GitHub
) -> PullRequest:
    """The pull request that was closed, or the one whose number a person has given.

    Raises:
        ReportError: there is none, or it is not one to report.
    """
    if "pull_request" in event:
        by = event["sender"]["login"]
        return PullRequest.read(event["pull_request"], environment["GITHUB_REPOSITORY"], by)
    number = str((event.get("inputs") or {}).get("pull_request", "")).strip().removeprefix("#")
    if not re.fullmatch(r"[0-9]{1,9}", number):
        raise ReportError("Give the number of a pull request, as 12.")
    pull = github.pull_request(int(number))
    started_from = environment["GITHUB_REF_NAME"]
    if pull.base_branch != started_from:
        raise ReportError(
            f"Pull request #{number} went to {pull.base_branch}, but this workflow was started "
            f"from {started_from}. Start it from {pull.base_branch}."
        )
    return pull


if __name__ == "__main__":
    sys.exit(main(os.environ))
