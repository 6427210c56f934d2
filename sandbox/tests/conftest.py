"""LocalStack changes its process's environment when it is imported; here that is undone.

The `no_proxy` that it sets is one that httpx cannot read, and a test process holds them both.
"""

import os
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]  # it ships none

_before = os.environ.get("no_proxy")

import localstack.config  # noqa: E402, F401  for its effect, which is undone below

if _before is None:
    os.environ.pop("no_proxy", None)
else:
    os.environ["no_proxy"] = _before

from sandbox.tests.event_source.fixtures import broker, topic  # noqa: E402
from sandbox.tests.github.fixtures import live, repo  # noqa: E402
from sandbox.tests.port.fixtures import filled_state, new_state  # noqa: E402

# Fixtures of the root conftest, so that a session has one of each for all folders.
__all__ = ["broker", "filled_state", "live", "new_state", "repo", "topic"]
# Fixtures that stand for another process, or for a server in another thread.
_OTHERS = {"aws", "broker", "live", "listening", "caller", "folder"}
# The cluster's tests have GitHub's server; the others are quick.
_SHARED = {"cluster": "github", "portal": "port"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses another process; other tests that wait carry the marker themselves."""
    for item in items:
        if isinstance(item, pytest.Function) and _OTHERS & set(item.fixturenames):
            item.add_marker(pytest.mark.waits)


class OneWorkerPerServer(LoadScopeScheduling):  # type: ignore[misc]  # xdist ships no types
    """Keeps tests together that share a server, as starting one costs more than most tests."""

    def _split_scope(self, nodeid: str) -> str:
        folder = Path(nodeid.partition("::")[0]).parent.name
        return _SHARED.get(folder, folder)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneWorkerPerServer:
    return OneWorkerPerServer(config, log)
