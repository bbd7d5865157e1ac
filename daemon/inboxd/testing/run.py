"""One executor, run once by the daemon."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inboxd.plugins.protocol import Isolation
from inboxd.testing.daemon import LIMIT_SECONDS, DaemonUnderTest
from inboxd.testing.failures import AttemptFailed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inboxd.plugins.protocol import Executor, TaskContext

__all__ = ["run_executor"]


class _Given:
    """Has the result that it is given."""

    name = "inboxd-testing.given"
    description = "Has the result that it is given."
    inputs_schema: Mapping[str, Any] | None = None
    isolation: str = Isolation.ASYNC

    def execute(self, inputs: dict[str, Any], context: TaskContext) -> Any:
        return inputs["result"]


def run_executor(
    executor: Executor,
    inputs: Mapping[str, Any] | None = None,
    *,
    params: Mapping[str, Any] | None = None,
    dependencies: Mapping[str, Any] | None = None,
    timeout: float | str | None = None,
    config: str = "",
    limit_seconds: float = LIMIT_SECONDS,
) -> Any:
    """
    Have a daemon run a task of an executor once, and return the task's result.

    Args:
        executor: it need not be installed.
        inputs: the task's; they are checked as those of a file are.
        params: the task's.
        dependencies: the results of tasks that it depends on, by their ids.
        timeout: the task's time limit, as a file has it.
        config: the text of the daemon's `inboxd.toml`.
        limit_seconds: wait no longer than this.

    Raises:
        FileRejected: the inputs are not what the executor takes.
        AttemptFailed: it failed; `code` and `message` say how.
        NotEnded: it did not end in time.
    """
    before = [
        {"id": name, "executor": _Given.name, "inputs": {"result": result}}
        for name, result in (dependencies or {}).items()
    ]
    task: dict[str, Any] = {
        "id": "task",
        "executor": executor.name,
        "inputs": dict(inputs or {}),
        "params": dict(params or {}),
        "dependencies": [one["id"] for one in before],
    }
    if timeout is not None:
        task["timeout"] = timeout
    with (
        tempfile.TemporaryDirectory(prefix="inboxd-", ignore_cleanup_errors=True) as directory,
        DaemonUnderTest(Path(directory), executor, _Given(), config=config) as daemon,
    ):
        ended = daemon.run([*before, task], limit_seconds=limit_seconds)["tasks"][-1]
        if ended["status"] != "completed":
            log = daemon.log("task") if ended["attempts"] else ""
            raise AttemptFailed(ended["error"] or {"code": ended["status"]}, log)
        return ended["result"]
