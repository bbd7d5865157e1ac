"""
For the tests of plugins: a whole daemon, a clock that can be moved, the conformance suite.

`pip install 'inboxd[testing]'` brings pytest, which this package alone needs.
With `pytest_plugins = ["inboxd.testing"]` in `conftest.py` the fixtures are there.
"""

from __future__ import annotations

from inboxd.testing.clock import MovableClock
from inboxd.testing.conformance import ExecutorConformance
from inboxd.testing.context import TestContext
from inboxd.testing.daemon import DaemonUnderTest, DroppedFile
from inboxd.testing.failures import AttemptFailed, FileRejected, NotEnded
from inboxd.testing.fixtures import inboxd_daemon, inboxd_plugins, make_inboxd_daemon
from inboxd.testing.run import run_executor

__all__ = [
    "AttemptFailed",
    "DaemonUnderTest",
    "DroppedFile",
    "ExecutorConformance",
    "FileRejected",
    "MovableClock",
    "NotEnded",
    "TestContext",
    "inboxd_daemon",
    "inboxd_plugins",
    "make_inboxd_daemon",
    "run_executor",
]
