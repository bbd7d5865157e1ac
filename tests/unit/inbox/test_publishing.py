from __future__ import annotations

import threading

from inboxd.inbox.publishing import Publishing


def test_nothing_is_waited_for_when_no_names_are_given() -> None:
    assert Publishing().wait_until_over() is True


def test_names_that_are_being_given_are_waited_for() -> None:
    publishing = Publishing()
    publishing.begin()
    publishing.begin()  # the transaction that reads them may be repeated
    order: list[str] = []

    def move_aside() -> None:
        publishing.wait_until_over()
        order.append("moved aside")

    mover = threading.Thread(target=move_aside)
    mover.start()
    order.append("named")
    publishing.end()
    mover.join()

    assert order == ["named", "moved aside"]
