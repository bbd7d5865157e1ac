"""What the page about `hold` says becomes of its own tree, for each answer of the person."""

from __future__ import annotations

import asyncio
import json
import re
import time
from typing import Any

import pytest

from inboxd import TaskCreator, TaskManager, create_session
from inboxd.store.explaining import explain_task, explained

from .pages import ROOT, page

PAGE = page(ROOT / "docs" / "how-to" / "ask-a-person.md")
ARRAY: dict[str, Any] = json.loads(PAGE.blocks("json")[0].text)
SAID = PAGE.blocks("text")[0].text.splitlines()[1]


@pytest.mark.parametrize(
    ("answer", "statuses"),
    [
        ("yes", ["completed", "completed", "completed"]),
        ("no", ["completed", "cancelled", "completed"]),
        ("in advance", ["completed", "completed", "completed"]),
    ],
)
def test_each_answer_has_the_end_that_the_page_says(answer: str, statuses: list[str]) -> None:
    async def run() -> list[str]:
        with create_session() as session:
            manager = TaskManager(session)
            scheduler = session._engine.scheduler
            trees = await TaskCreator(session).create_task_trees_from_array(ARRAY["tasks"])
            build, publish, _ = trees.tasks()
            runs = asyncio.ensure_future(manager.distribute_task_tree(trees))
            accepted = asyncio.to_thread(
                scheduler.wait_for_turn, lambda: not publish.is_draft, timeout=60
            )
            assert await accepted
            if answer == "in advance":
                # It may have got there in the meantime: either is a release.
                await manager.release(publish)
            else:
                is_built = asyncio.to_thread(
                    scheduler.wait_for_turn, lambda: build.status == "completed", timeout=60
                )
                assert await is_built
                reader = session._reader
                tree = reader.tree(str(publish.tree_id))
                assert tree is not None
                now = time.time_ns() // 1_000
                facts, _ = explain_task(reader, tree, reader.find_task(tree, "publish"), now=now)
                text = explained(facts, now=now).text
                assert text.replace(tree.short_id, "") == re.sub(r"(?<=release )\w+", "", SAID)
                await (manager.release if answer == "yes" else manager.cancel)(publish)
            await runs
            return [task.status.value for task in trees.tasks()]

    assert asyncio.run(run()) == statuses
