"""Write `docs/performance.md`."""

import statistics
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.bench import baseline
from tests.bench.applied import Applied
from tests.bench.played import DELAY, Creates, Played, kind

TEMPLATE = Path(__file__).with_suffix(".md")
# https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
PER_MINUTE, PER_HOUR = 80, 500
# Branch, commit, pull request, one review and the labels.
MUTATIONS_OF_A_CREATE = 5


@dataclass(frozen=True)
class Figure:
    """A figure and its limit."""

    name: str
    measured: float
    limit: float
    at_least: bool = False

    @property
    def holds(self) -> bool:
        """Whether it is within its limit."""
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit

    @property
    def limit_text(self) -> str:
        """Return the limit with its sign."""
        return f"{'≥' if self.at_least else '≤'} {self.limit:g}"


def page(
    figures: list[Figure],
    played: dict[str, Played],
    creates: Creates,
    applied: Applied,
    machine: str,
) -> str:
    """Return the page's text."""
    create = played["create"]
    simple = baseline.WRITES_TO_GITHUB
    return TEMPLATE.read_text().format(
        figures=_rows(
            (figure.name, f"{figure.measured:g}", figure.limit_text) for figure in figures
        ),
        flows=_rows(
            (name, len(one.of("GitHub")), one.writes, len(one.of("Port")), one.depth)
            for name, one in played.items()
        ),
        requests="\n".join(_requests(name, one) for name, one in played.items()),
        baseline="\n".join(f"{n}. `{one}`" for n, one in enumerate(baseline.REQUESTS, 1)),
        times=_times(creates),
        delay=round(DELAY * 1000),
        machine=machine,
        writes=create.writes,
        an_hour=PER_HOUR // create.writes,
        a_minute=PER_MINUTE // create.writes,
        if_each_counts=PER_HOUR // MUTATIONS_OF_A_CREATE,
        mutations=MUTATIONS_OF_A_CREATE,
        simple=simple,
        simple_an_hour=PER_HOUR // simple,
        per_hour=PER_HOUR,
        per_minute=PER_MINUTE,
        resources=applied.resources,
        first=applied.first,
        again=applied.again,
    )


def _rows(rows: Iterable[Iterable[object]]) -> str:
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in rows)


def _requests(name: str, one: Played) -> str:
    counted = Counter(f"{call.service} {kind(call)}" for call in one.calls)
    listed = [f"`{text}`" + (f" × {n}" if n > 1 else "") for text, n in sorted(counted.items())]
    return f"* {name}: " + ", ".join(listed)


def _times(creates: Creates) -> str:
    def row(name: str, ours: list[float], simple: list[float]) -> tuple[str, str, str, str]:
        mine, its = statistics.median(ours), statistics.median(simple)
        return name, f"{mine:.2f} s", f"{its:.2f} s", f"{its / mine:.1f}"

    warm, cold, simple = creates.warm, creates.cold, creates.baseline
    return _rows(
        [
            row("warm, until the pull request is open", warm.opened, simple.opened),
            row("warm, until the run's page shows it", warm.done, simple.done),
            row("cold, until the pull request is open", cold.opened, simple.opened),
            row("cold, until the run's page shows it", cold.done, simple.done),
        ]
    )
