"""The ring of events: what readers find, and what is gone."""

from __future__ import annotations

import json

import pytest

from inboxd.control.feed import RING, Feed, FellBehind
from inboxd.events import FileRejected, FileTaken, TaskProgress


def progress(message: str = "") -> TaskProgress:
    return TaskProgress(tree_id="tree", task_id="a", attempt=1, fraction=0.5, message=message)


def kept() -> Feed:
    feed = Feed()
    feed.keep(is_kept=True)
    return feed


def test_events_are_numbered_in_order_and_read_from_a_place_on() -> None:
    feed = kept()
    place = feed.newest
    for number in range(5):
        feed.tell(progress(str(number)))

    found = feed.after(place + 1, 3)

    assert [place + 2, place + 3, place + 4] == [entry.id for entry in found]
    lines = found[0].text.decode().splitlines()
    assert [f"id: {place + 2}", "event: task_progress"] == lines[:2]
    data = {"tree_id": "tree", "id": "a", "attempt": 1, "fraction": 0.5, "message": "1"}
    assert data == json.loads(lines[2].removeprefix("data: "))


def test_nothing_new_is_an_empty_list() -> None:
    feed = kept()

    assert feed.after(feed.newest, 10) == []


def test_a_reader_that_the_ring_overtook_fell_behind() -> None:
    feed = kept()
    place = feed.newest
    for _ in range(RING + 1):
        feed.tell(progress())

    with pytest.raises(FellBehind):
        feed.after(place, 10)
    assert len(feed.after(place + 1, 2 * RING)) == RING


@pytest.mark.parametrize("place", [-1, 0, 2**62])
def test_a_place_that_never_was_fell_behind(place: int) -> None:
    with pytest.raises(FellBehind):
        kept().after(place, 10)


def test_what_happens_while_nobody_reads_is_a_gap_that_readers_learn_of() -> None:
    feed = kept()
    feed.tell(progress())
    place = feed.newest
    feed.keep(is_kept=False)
    feed.tell(progress())
    feed.keep(is_kept=True)

    with pytest.raises(FellBehind):
        feed.after(place, 10)


def test_numbers_rise_over_starts() -> None:
    first = kept()
    first.tell(progress())

    assert Feed().newest > first.newest


def test_text_that_no_json_can_hold_is_told_all_the_same() -> None:
    feed = kept()
    place = feed.newest
    feed.tell(progress("half \ud800, \n\n end"))

    text = feed.after(place, 1)[0].text
    assert text.count(b"\n") == 4
    assert json.loads(text.split(b"data: ")[1])["message"] == "half ?, \n\n end"


def test_files_are_counted_whether_somebody_reads_or_not() -> None:
    feed = Feed()
    feed.tell(FileTaken(file_name=b"a", tree_id="t", tree_name=None, task_count=1))
    feed.tell(FileRejected(file_name=b"b", problems=("no",), problem_count=1))

    assert (feed.counts.files_accepted, feed.counts.files_rejected) == (1, 1)
