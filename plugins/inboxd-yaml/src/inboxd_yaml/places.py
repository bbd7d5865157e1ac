"""Where each value of a document stood: three numbers for each, whatever the document's size."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any, TypeAlias, cast

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Node", "Places", "YamlArray", "YamlObject"]

#: The number of a key or a value, in the order in which they stand in the text.
Node: TypeAlias = int


class Places:
    """
    The line, the column and the end of every key and value.

    Kept flat, since a tree of objects would take ten times the memory: the values themselves say
    how the document is built, and the numbers follow them. A list's items come one after another
    behind it, a mapping's keys and values in turns.
    """

    def __init__(self) -> None:
        self._lines = array("I")
        self._columns = array("I")
        #: The number behind the last one that lies in a node.
        self._ends = array("I")
        #: What an alias stands for.
        self._targets: dict[Node, Node] = {}
        #: Mappings into which others were merged: their keys and values by key.
        self._merged: dict[Node, dict[str, tuple[Node, Node]]] = {}

    def add(self, line: int, column: int) -> Node:
        """Note where the next key or value begins, from 0; it has nothing in it so far."""
        number = len(self._lines)
        self._lines.append(line)
        self._columns.append(column)
        self._ends.append(number + 1)
        return number

    def end(self, node: Node) -> None:
        """All that lies in the node was added."""
        self._ends[node] = len(self._lines)

    def point(self, alias: Node, target: Node) -> None:
        """The alias stands for *target*."""
        self._targets[alias] = target

    def merge(self, node: Node, members: dict[str, tuple[Node, Node]]) -> None:
        """The mapping holds *members*, not what its order in the text says."""
        self._merged[node] = members

    def of(self, node: Node) -> tuple[int, int]:
        """Return line and column, from 1."""
        return self._lines[node] + 1, self._columns[node] + 1

    def members(
        self, node: Node, value: dict[str, Any], *, skipped: Node = -1
    ) -> dict[str, tuple[Node, Node]]:
        """
        Return the key's and the value's number for each key of the mapping *value* at *node*.

        The key at *skipped* stands in the text and is none of them.
        """
        node = self._targets.get(node, node)
        if node in self._merged:
            return self._merged[node]
        found: dict[str, tuple[Node, Node]] = {}
        key_node = node + 1
        for key in value:
            if key_node == skipped:
                key_node = self._ends[key_node + 1]
            found[key] = (key_node, key_node + 1)
            key_node = self._ends[key_node + 1]
        return found

    def items(self, node: Node, count: int) -> list[Node]:
        """Return the numbers of the first *count* items of the list at *node*."""
        found: list[Node] = []
        item = self._targets.get(node, node) + 1
        for _ in range(count):
            found.append(item)
            item = self._ends[item]
        return found

    def find(self, root: Any, path: tuple[str | int, ...], *, at_key: bool) -> tuple[int, int]:
        """Return where the end of *path* stands, or the last that is there on the way to it."""
        value, node = root, 0
        for depth, token in enumerate(path):
            if isinstance(value, dict) and token in value:
                members = cast("dict[str, Any]", value)
                key_node, node = self.members(node, members)[str(token)]
                value = members[str(token)]
                if at_key and depth == len(path) - 1:
                    return self.of(key_node)
            elif isinstance(value, list) and isinstance(token, int):
                items = cast("Sequence[Any]", value)
                if not 0 <= token < len(items):
                    break
                node = self._item(node, token)
                value = items[token]
            else:
                break
        return self.of(node)

    def _item(self, node: Node, index: int) -> Node:
        item = self._targets.get(node, node) + 1
        for _ in range(index):
            item = self._ends[item]
        return item


class YamlArray(list[Any]):
    """A list that is a whole document, and knows where its values stood."""

    places: Places

    def position_of(
        self, path: tuple[str | int, ...], *, at_key: bool = False
    ) -> tuple[int, int] | None:
        """Return line and column of a value, from 1; see `inboxd.plugins.protocol.HasPositions`."""
        return self.places.find(self, path, at_key=at_key)


class YamlObject(dict[str, Any]):
    """A mapping that is a whole document, and knows where its values stood."""

    places: Places

    def position_of(
        self, path: tuple[str | int, ...], *, at_key: bool = False
    ) -> tuple[int, int] | None:
        """Return line and column of a value, from 1; see `inboxd.plugins.protocol.HasPositions`."""
        return self.places.find(self, path, at_key=at_key)
