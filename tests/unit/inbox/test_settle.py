from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from inboxd.inbox.settle import Candidate, Decision, Facts, Hint, Sighting, settle

SETTLE = 2.0
MOST = 1_000


def file(name: bytes = b"a.json", **changes: Any) -> Candidate:
    facts = Facts(1, 10, changes.pop("size", 5), changes.pop("mtime_ns", 100))
    return replace(
        Candidate(name=name, facts=facts, ctime_ns=100, links=1, is_regular=True), **changes
    )


def decide(
    *files: Candidate,
    now: float = 50.0,
    seen: dict[bytes, Sighting] | None = None,
    hints: dict[bytes, Hint] | None = None,
    file_system_now_ns: int | None = None,
) -> Decision:
    return settle(
        files,
        seen=seen or {},
        hints=hints or {},
        now=now,
        settle_seconds=SETTLE,
        max_bytes=MOST,
        file_system_now_ns=file_system_now_ns,
    )


def test_a_file_without_hint_waits_for_settle_from_when_it_was_first_seen() -> None:
    first = decide(file(), now=50.0)
    early = decide(file(), now=51.9, seen=first.waiting)
    late = decide(file(), now=52.0, seen=early.waiting)

    assert (first.taken, first.look_again_at) == ((), 52.0)
    assert early.taken == ()
    assert late.taken == (file(),)


def test_a_file_that_was_moved_in_or_closed_is_taken_at_once() -> None:
    assert decide(file(), hints={b"a.json": Hint.WHOLE}).taken == (file(),)


def test_a_file_that_changes_waits_anew() -> None:
    first = decide(file(size=5), now=50.0)
    second = decide(file(size=6), now=51.0, seen=first.waiting)

    assert second.look_again_at == 53.0
    assert decide(file(size=6), now=52.5, seen=second.waiting).taken == ()


def test_what_was_said_of_a_file_no_longer_counts_once_it_changed() -> None:
    linked = file(links=2)
    first = decide(linked, hints={b"a.json": Hint.WHOLE})

    assert decide(file(links=1), now=50.5, seen=first.waiting).taken == (file(links=1),)
    assert decide(file(links=1, mtime_ns=101), now=50.5, seen=first.waiting).taken == ()
    assert decide(file(), now=50.5, seen=first.waiting, hints={b"a.json": Hint.CHANGED}).taken == ()


def test_an_empty_file_always_waits() -> None:
    first = decide(file(size=0), hints={b"a.json": Hint.WHOLE})

    assert first.taken == ()
    assert decide(file(size=0), now=52.0, seen=first.waiting).taken == (file(size=0),)


def test_a_file_with_a_second_link_waits_until_it_has_one_and_no_longer_than_settle() -> None:
    first = decide(file(links=2), hints={b"a.json": Hint.WHOLE})

    assert first.taken == ()
    assert decide(file(links=2), now=51.0, seen=first.waiting).taken == ()
    assert decide(file(links=2), now=52.0, seen=first.waiting).taken == (file(links=2),)


def test_what_can_only_be_refused_need_not_wait() -> None:
    link = file(b"link.json", is_regular=False)
    large = file(b"large.json", size=MOST + 1)

    assert set(decide(link, large).taken) == {link, large}


def test_a_file_of_just_the_largest_size_waits_like_any_other() -> None:
    assert decide(file(size=MOST)).taken == ()


def test_at_the_first_look_a_file_that_lay_there_need_not_wait_again() -> None:
    second_ns = 1_000_000_000
    old = file(b"old.json", ctime_ns=100 * second_ns)
    young = file(b"young.json", ctime_ns=109 * second_ns)
    decision = decide(old, young, now=50.0, file_system_now_ns=110 * second_ns)

    assert decision.taken == (old,)
    assert decision.look_again_at == 51.0


def test_at_the_first_look_an_old_mtime_does_not_hide_a_recent_change() -> None:
    second_ns = 1_000_000_000
    restored = file(mtime_ns=1, ctime_ns=110 * second_ns)

    assert decide(restored, file_system_now_ns=110 * second_ns).taken == ()


def test_a_file_from_the_future_waits_no_longer_than_others() -> None:
    future = file(mtime_ns=10**18, ctime_ns=10**18)
    decision = decide(future, now=50.0, file_system_now_ns=1)

    assert decision.look_again_at == 52.0


def test_files_are_taken_in_the_order_of_their_mtime_then_name() -> None:
    files = [
        file(b"c.json", mtime_ns=1),
        file(b"b.json", mtime_ns=2),
        file(b"a.json", mtime_ns=2),
    ]
    taken = decide(*files, hints={one.name: Hint.WHOLE for one in files}).taken

    assert [one.name for one in taken] == [b"c.json", b"a.json", b"b.json"]


def test_a_file_that_is_gone_is_forgotten() -> None:
    first = decide(file())

    assert decide(now=51.0, seen=first.waiting).waiting == {}


@given(
    st.lists(
        st.tuples(
            st.floats(min_value=0.001, max_value=3.0),
            st.integers(min_value=0, max_value=3),
            st.sampled_from([None, Hint.CHANGED]),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_without_word_that_it_is_whole_no_file_is_taken_within_settle_of_a_change(
    steps: list[tuple[float, int, Hint | None]],
) -> None:
    now, changed_at, size = 100.0, 100.0, 1
    seen: dict[bytes, Sighting] = {}
    for pause, growth, hint in steps:
        now += pause
        if growth:
            size += growth
            changed_at = now
        decision = decide(
            file(size=size), now=now, seen=seen, hints={} if hint is None else {b"a.json": hint}
        )
        seen = decision.waiting

        assert not decision.taken or now - changed_at >= SETTLE
