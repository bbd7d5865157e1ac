"""What the reference reads from the source of a class or function."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from inboxd.api.described import Attribute, attributes, docstring, methods, signature


class Colour(StrEnum):
    """Colours."""

    #: Of blood.
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True)
class Point:
    """A point."""

    #: In pixels,
    #: from the left.
    x: int
    y: int | None = None


class Shape:
    def __init__(self, name: str) -> None:
        #: What it is called.
        self.name: str = name
        self.unsaid = 1
        #: Nobody's business.
        self._hidden = 2

    @property
    def area(self) -> float:
        """
        In square pixels.

        Of what can be seen.
        """
        return 0.0

    async def draw(self, canvas: Point, *rest: Point, colour: Colour | None = None) -> list[str]:
        """
        Draw it.

        Then wait.

        Args:
            canvas: where;
                from the left.
            rest: more.
            colour: None: black.

        Returns:
            What was drawn.

        Raises:
            ValueError, TypeError: it cannot
                be drawn.
        """
        return []

    def _paint(self) -> None: ...


def test_a_signature_says_types_and_defaults() -> None:
    assert signature(Shape.draw, "draw") == (
        "async draw(canvas: Point, *rest: Point, colour: Colour | None = None) -> list[str]"
    )


def test_what_is_by_keyword_stands_behind_a_star_and_a_long_signature_on_lines() -> None:
    def long(
        first_argument: str, *, a_second_argument: str = "s", a_third_argument_of_them: int = 3
    ) -> None: ...

    assert signature(long, "long") == (
        "long(\n    first_argument: str,\n    *,\n    a_second_argument: str = 's',\n"
        "    a_third_argument_of_them: int = 3,\n)"
    )


def test_a_docstring_becomes_text_and_lists() -> None:
    assert docstring(Shape.draw) == (
        "Draw it.\n\nThen wait.\n\n"
        "Arguments:\n\n"
        "- `canvas`: where; from the left.\n- `rest`: more.\n- `colour`: None: black.\n\n"
        "Returns: What was drawn.\n\n"
        "Raises:\n\n- `ValueError`, `TypeError`: it cannot be drawn."
    )
    assert docstring(Shape._paint) == ""


def test_attributes_are_what_can_be_read_with_what_is_said_of_them() -> None:
    assert list(attributes(Shape)) == [
        Attribute(name="name", type="str", meaning="What it is called."),
        Attribute(name="area", type="float", meaning="In square pixels. Of what can be seen."),
    ]
    assert list(attributes(Point)) == [
        Attribute(name="x", type="int", meaning="In pixels, from the left."),
        Attribute(name="y", type="int | None", meaning=""),
    ]
    assert list(attributes(Colour)) == [
        Attribute(name="RED", type="'red'", meaning="Of blood."),
        Attribute(name="BLUE", type="'blue'", meaning=""),
    ]


def test_methods_are_the_public_ones() -> None:
    assert [name for name, _ in methods(Shape)] == ["draw"]
