"""Define the test lanes: their commands, budgets and files.

`make test` runs those with `in_test`, `make test-all` all of them.
"""

import fnmatch
import math
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

PYTEST = (".venv/bin/pytest",)
# Each run of pytest first deletes its folder of screenshots, so no two lanes share one.
_SCREENSHOTS = "--output=build/screenshots"
ENGINE = ("shared/*", "functions/*", "services-repo/*")


@dataclass(frozen=True)
class Lane:
    """One command that tests something.

    Attributes:
        budget: processor seconds on an idle machine; excess is reported, not refused.
        minutes: duration on two idle cores, which `changed_lanes` adds up.
        in_test: whether `make test` runs it.
        touches: patterns of the files that it tests (`*` also matches `/`).
        environment: variables for its command.
    """

    name: str
    purpose: str
    command: tuple[str, ...]
    budget: int
    minutes: float = 0
    in_test: bool = False
    touches: tuple[str, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()

    @property
    def repeat(self) -> str:
        """The command that runs the lane again."""
        return f"make lane LANE={self.name}"


# In start order: while the story waits, the other lanes use the processors.
LANES = (
    Lane(
        "story",
        "the story in one Kafka mode, and three times in the browser",
        (*PYTEST, "--numprocesses", "1", f"{_SCREENSHOTS}-story", "-m", "story and not msk",
         "tests/integration"),
        budget=260,
        in_test=True,
    ),
    Lane(
        "unit",
        "the fast tests",
        (*PYTEST, "--numprocesses", "2", "tests/unit"),
        budget=110,
        in_test=True,
    ),
    Lane(
        "faults",
        "a fault at calls of every flow; concurrent invocations",
        (*PYTEST, "--numprocesses", "2", "tests/faults"),
        budget=240,
        in_test=True,
    ),
    Lane(
        "contract",
        "attacks, hostile and generated input, the sandbox's servers, real tools",
        (*PYTEST, "--numprocesses", "2", "tests/attacks", "tests/property", "tests/contract"),
        budget=220,
        in_test=True,
    ),
    Lane(
        "terraform",
        "resources, variable validation, permissions, plans, AWS references",
        ("scripts/terraform_test",),
        budget=220,
        in_test=True,
    ),
    Lane(
        "sandbox",
        "the sandbox's own parts",
        ("sandbox/.venv/bin/pytest", "--numprocesses", "2", "-c",
         "sandbox/pyproject.toml", "--rootdir", ".", "sandbox/tests"),
        budget=150,
        minutes=3,
        touches=("sandbox/*.py", "sandbox/pyproject.toml", "sandbox/requirements/sandbox.txt"),
    ),
    Lane(
        "portal",
        "the parts of the portal's pages",
        ("sandbox/scripts/portal", "test"),
        budget=20,
        minutes=0.2,
        touches=("sandbox/portal/*",),
    ),
    Lane(
        "browser",
        "the portal's pages in Chromium",
        (*PYTEST, "--numprocesses", "2", f"{_SCREENSHOTS}-browser", "--dist", "loadfile",
         "sandbox/browser"),
        budget=150,
        minutes=3,
        touches=("sandbox/portal/*", "sandbox/port/*", "sandbox/browser/*", "tests/port_server.py"),
    ),
    Lane(
        "integration",
        "every story in both Kafka modes, an installation, policies, removal, a small soak",
        (*PYTEST, "--numprocesses", "2", f"{_SCREENSHOTS}-integration", "tests/integration"),
        budget=1050,
        minutes=17,
        touches=(
            *ENGINE, "terraform/*", "examples/*", "sandbox/aws/*", "tests/integration/*",
            "scripts/soak*", "scripts/install*", "scripts/github_app.py",
        ),
    ),
    Lane(
        "consumer",
        "releases: their sums, a root that applies one, and its upgrade",
        (*PYTEST, "tests/consumer"),
        budget=400,
        minutes=6,
        touches=("scripts/release.py", "scripts/build.py", "terraform/*", "tests/consumer/*"),
    ),
    Lane(
        "fuzz",
        "twenty times as much hostile and generated input",
        (*PYTEST, "--numprocesses", "2", "tests/property"),
        budget=1500,
        minutes=14,
        touches=("shared/*", "tests/property/*"),
        environment=(("FUZZ", "20"),),
    ),
    Lane(
        "all-faults",
        "every fault at every call of every flow",
        (*PYTEST, "--numprocesses", "2", "tests/faults"),
        budget=9000,
        minutes=90,
        touches=("shared/*", "tests/faults/*"),
        environment=(("FAULTS", "all"),),
    ),
    Lane(
        "soak",
        "several hundred runs while parts fail, then an audit",
        ("scripts/soak", "--runs", "200"),
        budget=1800,
        minutes=20,
        touches=(*ENGINE, "scripts/soak*"),
    ),
)  # fmt: skip


def named(name: str) -> Lane:
    """Return the lane of that name."""
    return next(lane for lane in LANES if lane.name == name)


def changed_lanes(
    root: Path, within_minutes: float | None, side_by_side: int
) -> tuple[list[Lane], list[Lane]]:
    """Return the lanes beyond `make test` that a change touches.

    Args:
        root: the checkout.
        within_minutes: maximum sum of their `minutes`; None: no limit.
        side_by_side: how many run at a time.

    Returns:
        The lanes to run, and the lanes that would take too long.
    """
    paths = changed_paths(root)
    longest = math.inf if within_minutes is None else within_minutes
    left = longest * side_by_side
    chosen: list[Lane] = []
    left_out: list[Lane] = []
    for lane in LANES:
        if lane.in_test or not touched(lane, paths):
            continue
        if lane.minutes > min(left, longest):
            left_out.append(lane)
            continue
        chosen.append(lane)
        left -= lane.minutes
    return chosen, left_out


def touched(lane: Lane, paths: list[str]) -> bool:
    """Return whether one of the files belongs to the lane."""
    return any(fnmatch.fnmatchcase(path, each) for path in paths for each in lane.touches)


def changed_paths(root: Path) -> list[str]:
    """Return the files that differ from the last merge.

    The base is `CHANGED_SINCE`, if set. Otherwise it is where the branch left `origin/main`, or the
    last merge commit. Without any of them, as in a shallow clone, every file counts.
    """
    base = os.environ.get("CHANGED_SINCE") or _base(root)
    if not base:
        return _git(root, "ls-files").splitlines()
    return _git(root, "diff", "--name-only", base).splitlines()


def _base(root: Path) -> str:
    head = _git(root, "rev-parse", "HEAD")
    try:
        base = _git(root, "merge-base", "HEAD", "origin/main")
    except subprocess.CalledProcessError:
        base = ""
    if base and base != head:
        return base
    return _git(root, "rev-list", "-1", "--merges", "HEAD")


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()
