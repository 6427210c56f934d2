"""What a test run says of its tests and at its end."""

from collections import Counter
from collections.abc import Generator

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Escape lone surrogates in reports of hostile tests, so that xdist can send them.

    Its workers report in UTF-8, and a report that cannot be encoded ends the worker.
    """
    report = yield
    if report.longrepr is not None and (text := str(report.longrepr)) != _sendable(text):
        report.longrepr = _sendable(text)
    report.sections = [(name, _sendable(text)) for name, text in report.sections]
    return report


def _sendable(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the matrix of `tests/faults`: flows, their calls, and their faults."""
    flows: dict[str, Counter[str]] = {}
    calls: dict[str, int] = {}
    swept, seed = 0, ""
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for name, value in report.user_properties:
            if name == "faults" and report.when == "call":
                flow, calls[flow], seed = value[0], value[1], value[4]
                flows.setdefault(flow, Counter()).update(value[2])
                swept += value[3]
    if not flows:
        return
    total = sum(flows.values(), Counter[str]())
    terminalreporter.section("faults")
    for flow, played in flows.items():
        terminalreporter.write_line(f"{flow:52} {calls[flow]:4} calls {played.total():6} cases")
    for fault, number in total.most_common():
        terminalreporter.write_line(f"{fault:52} {number:17} cases")
    terminalreporter.write_line(
        f"{len(flows)} flows, {sum(calls.values())} calls, {len(total)} faults: "
        f"{total.total()} cases, of which {swept} were fixed by the sweep; FAULTS={seed}"
    )
