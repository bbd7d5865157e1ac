"""A tree that asks a person: `--until-idle` does not wait for the answer, and it is not lost."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from inboxd import TaskManager, create_session

if TYPE_CHECKING:
    from .conftest import MakeDaemon


def test_a_held_tree_is_left_waiting_and_goes_on_after_its_release(
    make_daemon: MakeDaemon,
) -> None:
    daemon = make_daemon()
    daemon.drop(
        "tree.json",
        [
            {"id": "build", "executor": "noop"},
            {"id": "deploy", "executor": "noop", "dependencies": ["build"], "hold": True},
            {"id": "later", "executor": "noop", "hold": True, "not_before": "2999-01-01T00:00:00Z"},
            {"id": "report", "executor": "noop", "dependencies": ["deploy"], "hold": True},
        ],
    )
    codes = [daemon.run_until_idle(), daemon.run_until_idle()]
    before = (daemon.result("tree.json"), daemon.rows("SELECT local_id, attempt FROM tasks"))

    async def decide() -> None:
        """Answer without a daemon: from Python, on its store."""
        with create_session(f"sqlite:///{daemon.state / 'inboxd.db'}") as session:
            manager = TaskManager(session)
            await manager.release("deploy")
            await manager.release("report")
            await manager.cancel("later")

    asyncio.run(decide())
    codes.append(daemon.run_until_idle())
    result = daemon.result("tree.json")

    assert before == (None, [("build", 1), ("deploy", 0), ("later", 0), ("report", 0)])
    # The last run is the one in which the tree ends, cancelled in part.
    assert codes == [0, 0, 1]
    assert result is not None
    assert (result["status"], [task["status"] for task in result["tasks"]]) == (
        "cancelled", ["completed", "completed", "cancelled", "completed"]
    )  # fmt: skip
