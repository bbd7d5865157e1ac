"""For the tests of the Python API: a session, closed after the test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from inboxd import create_session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from inboxd import Session


@pytest.fixture
def session() -> Iterator[Session]:
    """A private store, and what runs its tasks."""
    with create_session() as session:
        yield session
