"""What a pull request is about: found in the branch's name, and checked against all else.

The branch's name is the truth: a branch cannot be renamed while its pull request stays. People can
edit the pull request's text and its files, so these two may only confirm what is known, as does
Port's own run.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from slipway_report.api import ReportError

Claims = Mapping[str, str]

# Made by a remediation, not by a run of Port.
_REPAIR = re.compile(r"slipway/(roll_back|scale_up)/([A-Za-z0-9_-]{1,100})")
_BRANCH = re.compile(r"slipway/([a-z_]+)/((?:r|run)_[A-Za-z0-9]{1,64})")
# Requested by a node of a workflow, whose run no route of Port shows.
_NODE = re.compile(r"slipway/[a-z_]+/wfnr_[A-Za-z0-9]{1,64}")
_COMMENT = re.compile(r"<!-- slipway (.*?) -->", re.DOTALL)
_RULES = {
    # A DNS label (RFC 1123); no path that is made of one leaves apps/.
    "identifier": re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"),
    "blueprint": re.compile(r"[A-Za-z0-9_-]{1,100}"),
    "action": re.compile(r"[a-z_]{1,100}"),
    "run_id": re.compile(r"[A-Za-z0-9_-]{1,100}"),
}
_IN_FOLDER = re.compile(r"apps/([^/]+)/.")
_MEANINGS = {"identifier": "service", "run_id": "run"}


@dataclass(frozen=True)
class Subject:
    """What a pull request is about.

    Attributes:
        action: the action's identifier.
        run_id: the run that the pull request was made for; of a repair the remediation's id.
        service: the service's identifier.
        blueprint: the blueprint of the service's entity.
    """

    action: str
    run_id: str
    service: str
    blueprint: str

    @property
    def folder(self) -> str:
        """The service's folder in the repository."""
        return f"apps/{self.service}"


def is_service(name: str) -> bool:
    """Whether this can be the name of a service, and so of its folder in `apps/`."""
    return _RULES["identifier"].fullmatch(name) is not None


def claims_of_repair(branch: str) -> Claims | None:
    """Action and remediation id, if a remediation has made this branch."""
    match = _REPAIR.fullmatch(branch)
    return {"action": match[1], "run_id": match[2]} if match else None


def is_of_a_node(branch: str) -> bool:
    """Whether a workflow's node has requested this branch: Slipway itself reports its end."""
    return _NODE.fullmatch(branch) is not None


def claims_of_paths(paths: Iterable[str]) -> Claims | None:
    """The one service whose folder has all these files; None if there is no such one."""
    folders = {match[1] if (match := _IN_FOLDER.match(path)) else "" for path in paths}
    return {"identifier": folders.pop()} if len(folders) == 1 and "" not in folders else None


def claims_of_branch(name: str) -> Claims:
    """Action and run id. Whether there is such an action, Port's own run says.

    Raises:
        ReportError: it is not the branch of a run.
    """
    match = _BRANCH.fullmatch(name)
    if match is None:
        raise ReportError(
            f"Branch {name!r} is not 'slipway/<action>/<run id>'. Nothing was reported."
        )
    return {"action": match[1], "run_id": match[2]}


def claims_of_body(body: str) -> Claims:
    """What the hidden comment in the pull request's text says; nothing if it was removed.

    Raises:
        ReportError: there are several, or one cannot be read.
    """
    found = _COMMENT.findall(body)
    if not found:
        return {}
    if len(found) > 1:
        raise ReportError(
            "The pull request's text has more than one hidden 'slipway' comment. Nothing was "
            "reported. Remove those that Slipway did not write, then re-run this job."
        )
    return _claims(found[0], "the hidden comment in the pull request's text")


def claims_of_file(text: str, path: str, *, of_this_run: bool) -> Claims:
    """What `portData.json` says.

    Args:
        text: the file's text.
        path: its path, for messages.
        of_this_run: whether the file's run is the pull request's: so for a create only.

    Raises:
        ReportError: it cannot be read.
    """
    claims = _claims(text, path)
    return {name: claims[name] for name in claims if name != "run_id" or of_this_run}


def claims_of_run(run: Mapping[str, Any]) -> Claims:
    """What Port knows of the run."""
    entity = _identifier(run.get("entity")) or (run.get("properties") or {}).get("service_name")
    claims = {
        "action": _identifier(run.get("action")),
        "blueprint": _identifier(run.get("blueprint")),
        "identifier": entity,
    }
    return {name: str(value) for name, value in claims.items() if value}


def agree(claims: Mapping[str, Claims]) -> Subject:
    """Put together what the sources say.

    Args:
        claims: name of the source → its claims.

    Raises:
        ReportError: two sources contradict each other, or a value is impossible or missing.
    """
    agreed: dict[str, str] = {}
    for field, rule in _RULES.items():
        said = {source: found[field] for source, found in claims.items() if field in found}
        what = _MEANINGS.get(field, field)
        if len(set(said.values())) > 1:
            listing = ", ".join(f"{value!r} by {source}" for source, value in said.items())
            raise ReportError(
                f"It is not certain which {what} this pull request is about: {listing}. Nothing "
                "was reported. Correct what was edited, then re-run this job."
            )
        value = next(iter(said.values()), "")
        if not rule.fullmatch(value):
            raise ReportError(
                f"{value!r} cannot be a {what} (from {', '.join(said) or 'no source at all'}). "
                "Nothing was reported."
            )
        agreed[field] = value
    return Subject(agreed["action"], agreed["run_id"], agreed["identifier"], agreed["blueprint"])


def _claims(text: str, where: str) -> Claims:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        raise ReportError(
            f"What is in {where} is no JSON object any more. Nothing was reported. "
            "Restore it, then re-run this job."
        )
    return {name: str(data[name]) for name in _RULES if name in data}


def _identifier(value: object) -> object:
    """An identifier as Port gives it: alone in version 1 of its API, in an object in version 2."""
    return value.get("identifier") if isinstance(value, Mapping) else value
