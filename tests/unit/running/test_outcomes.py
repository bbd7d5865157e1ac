"""What is said of an executor that raised."""

from __future__ import annotations

import pytest

from inboxd.errors import InboxdError
from inboxd.running.outcomes import raised


class Refused(InboxdError):
    pass


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (Refused("the door is shut"), "the door is shut"),
        (Refused(), "Refused"),
        (KeyError("a"), "KeyError: 'a'"),
    ],
)
def test_an_error_that_is_written_for_people_is_told_without_its_class(
    error: Exception, message: str
) -> None:
    assert raised(error).error.message == message
