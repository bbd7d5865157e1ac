"""
From the text of a YAML file to the values that its JSON would hold, each with its place.

libyaml's parser gives events, and nothing is ever made from what they say but text, numbers, true,
false, null, lists and mappings: there is no tag that could name a class. Nothing recurses, so no
depth ends the process; and an alias is the very value that its anchor names, so that what aliases
repeat takes no memory here. How much it comes to when it is written out, the daemon counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from yaml import CBaseLoader
from yaml.error import MarkedYAMLError, YAMLError
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from inboxd.plugins.protocol import ParseProblem
from inboxd_yaml.places import Node, Places, YamlArray, YamlObject
from inboxd_yaml.scalars import plain_value, tagged_value, unknown_tag
from inboxd_yaml.syntax import syntax_problem
from inboxd_yaml.text import checked_text

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["read_document"]

_MERGE = "<<"
_MERGE_TAG = "tag:yaml.org,2002:merge"
_MAPPING_TAGS = frozenset({None, "!", "tag:yaml.org,2002:map"})
_SEQUENCE_TAGS = frozenset({None, "!", "tag:yaml.org,2002:seq"})

#: Keys that merging may copy in one file: every `<<` copies all keys of what it names.
_MOST_MERGED = 1_000_000


def read_document(data: bytes) -> YamlArray | YamlObject:
    """
    Return the list or the mapping that a YAML file holds.

    Raises:
        ParseProblem: the file is no YAML, or holds what no task file can; the first such thing.
    """
    text = checked_text(data)
    builder = _Builder()
    try:
        # Of the loader its parser alone is used, which is libyaml's.
        parser: Any = CBaseLoader(text)
        while parser.check_event():
            builder.take(parser.get_event())
    except MarkedYAMLError as error:
        raise syntax_problem(error, text) from None
    except YAMLError as error:  # the text was checked for all that is known to come here
        raise ParseProblem(f"this is no YAML: {error}", code="invalid_json") from None
    return builder.document(has_text=bool(text.strip()))


class _Frame:
    """A list or a mapping that is being read."""

    __slots__ = ("anchor", "key", "key_node", "merge", "merge_key", "node", "value")

    def __init__(self, value: list[Any] | dict[str, Any], node: Node, anchor: str | None) -> None:
        self.value = value
        self.node = node
        self.anchor = anchor
        #: The key whose value comes next, and where it stands; -1: a key comes next.
        self.key: str = ""
        self.key_node: Node = -1
        #: The key `<<`, and what it names; -1: there is none.
        self.merge_key: Node = -1
        self.merge: tuple[Any, Node] | None = None


class _Builder:
    """Puts the events of one document together."""

    def __init__(self) -> None:
        self._places = Places()
        self._frames: list[_Frame] = []
        self._anchors: dict[str, tuple[Any, Node]] = {}
        #: Anchors of what is not read to its end.
        self._open: list[str] = []
        self._documents = 0
        self._merged = 0
        self._root: Any = None

    def take(self, event: Any) -> None:
        """Take the next event of the parser."""
        kind = cast("type[object]", type(event))
        if kind is ScalarEvent:
            self._scalar(event)
        elif kind is MappingStartEvent:
            self._begin(event, YamlObject() if not self._frames else {}, _MAPPING_TAGS)
        elif kind is SequenceStartEvent:
            self._begin(event, YamlArray() if not self._frames else [], _SEQUENCE_TAGS)
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            self._end()
        elif kind is AliasEvent:
            self._alias(event)
        elif kind is DocumentStartEvent:
            self._documents += 1
            if self._documents > 1:
                raise _problem(
                    event,
                    "a second document begins here",
                    hint="one file is one array: put all tasks in it, or drop several files",
                )

    def document(self, *, has_text: bool) -> YamlArray | YamlObject:
        """Return what the document holds."""
        root = self._root
        if isinstance(root, YamlArray | YamlObject):
            root.places = self._places
            return root
        line, column = self._places.of(0) if self._documents else (1, 1)
        if self._documents:
            raise ParseProblem(
                "a task file is a list of tasks, or a mapping with `tasks`",
                line=line,
                column=column,
                hint="begin each task with a dash: `- id: a`",
                code="not_an_array",
            )
        raise ParseProblem(
            "the file holds nothing but comments" if has_text else "the file is empty",
            line=line,
            column=column,
            hint="the smallest task file is `- {id: a, executor: noop}`",
            code="invalid_json",
        )

    def _scalar(self, event: ScalarEvent) -> None:
        mark: Any = event.start_mark
        node = self._places.add(mark.line, mark.column)
        text, tag = event.value, event.tag
        try:
            if tag is not None:
                is_merge = text == _MERGE and tag == _MERGE_TAG
                value = text if is_merge else tagged_value(tag, text)
            elif event.implicit[0]:
                is_merge = text == _MERGE
                value = plain_value(text)
            else:
                is_merge, value = False, text
        except ParseProblem as problem:
            problem.line, problem.column = self._places.of(node)
            raise
        if event.anchor is not None:
            self._anchors[event.anchor] = (value, node)
        if is_merge and self._wants_key():
            self._add_merge_key(event, node)
        else:
            self._add(event, value, node)

    def _begin(self, event: Any, value: list[Any] | dict[str, Any], tags: frozenset[Any]) -> None:
        if event.tag not in tags:
            problem = unknown_tag(event.tag)
            problem.line, problem.column = event.start_mark.line + 1, event.start_mark.column + 1
            raise problem
        node = self._places.add(event.start_mark.line, event.start_mark.column)
        self._add(event, value, node)
        self._frames.append(_Frame(value, node, event.anchor))
        if event.anchor is not None:
            self._open.append(event.anchor)
            self._anchors.pop(event.anchor, None)

    def _end(self) -> None:
        frame = self._frames.pop()
        self._places.end(frame.node)
        if frame.merge is not None:
            self._merge(frame, *frame.merge)
        if frame.anchor is not None:
            self._open.remove(frame.anchor)
            self._anchors[frame.anchor] = (frame.value, frame.node)

    def _alias(self, event: Any) -> None:
        named = self._anchors.get(event.anchor)
        if named is None:
            name = str(event.anchor)[:80]
            if event.anchor in self._open:
                raise _problem(
                    event,
                    f"the alias *{name} stands inside what the anchor &{name} names",
                    hint="a task file cannot hold itself",
                )
            raise _problem(
                event,
                f"no anchor &{name} stands before this alias",
                hint=f"write &{name} before the first place where the value stands; or quote the *",
            )
        value, target = named
        node = self._places.add(event.start_mark.line, event.start_mark.column)
        self._places.point(node, target)
        self._add(event, value, node)

    def _wants_key(self) -> bool:
        return bool(self._frames) and (
            isinstance(self._frames[-1].value, dict) and self._frames[-1].key_node < 0
        )

    def _add(self, event: Any, value: Any, node: Node) -> None:
        """Put a value where the next one belongs; its own members may still come."""
        if not self._frames:
            self._root = value
            return
        frame = self._frames[-1]
        into = frame.value
        if isinstance(into, list):
            into.append(value)
        elif frame.key_node < 0:
            if not isinstance(value, str):
                raise _no_key(event, value)
            if value in into:
                raise _twice(event, value)
            frame.key, frame.key_node = value, node
        elif frame.key_node == frame.merge_key:
            frame.merge, frame.key_node = (value, node), -1
        else:
            into[frame.key] = value
            frame.key_node = -1

    def _add_merge_key(self, event: Any, node: Node) -> None:
        frame = self._frames[-1]
        if frame.merge_key >= 0:
            raise _twice(event, _MERGE)
        frame.key_node = frame.merge_key = node

    def _merge(self, frame: _Frame, named: Any, node: Node) -> None:
        """Add the members of what `<<` names to a mapping: its own win, then the first named."""
        own = cast("dict[str, Any]", frame.value)
        members = self._places.members(frame.node, own, skipped=frame.merge_key)
        sources = [(named, node)]
        if isinstance(named, list):
            items = cast("Sequence[Any]", named)
            sources = list(zip(items, self._places.items(node, len(items)), strict=True))
        for source, source_node in sources:
            if not isinstance(source, dict):
                raise ParseProblem(
                    "`<<` takes a mapping, or a list of mappings",
                    **self._place(source_node),
                    hint='write the alias of one: `<<: *defaults`; a key "<<" goes in quotes',
                    code="wrong_type",
                )
            mapping = cast("dict[str, Any]", source)
            self._merged += len(mapping)
            if self._merged > _MOST_MERGED:
                raise ParseProblem(
                    f"merging with `<<` adds more than {_MOST_MERGED:,} keys",
                    **self._place(source_node),
                    hint="put what all tasks share in `defaults`",
                    code="too_large",
                )
            for key, places in self._places.members(source_node, mapping).items():
                if key not in own:
                    own[key] = mapping[key]
                    members[key] = places
        self._places.merge(frame.node, members)

    def _place(self, node: Node) -> dict[str, Any]:
        line, column = self._places.of(node)
        return {"line": line, "column": column}


def _problem(event: Any, message: str, *, hint: str, code: str = "invalid_json") -> ParseProblem:
    mark = event.start_mark
    return ParseProblem(message, line=mark.line + 1, column=mark.column + 1, hint=hint, code=code)


def _no_key(event: Any, value: object) -> ParseProblem:
    if isinstance(value, list | dict):
        kind = "list" if isinstance(value, list) else "mapping"
        return _problem(
            event,
            f"a key is text, not a {kind}",
            hint="text that begins with [ or { goes in quotes",
            code="wrong_type",
        )
    written = str(event.value) if isinstance(event, ScalarEvent) else str(value)
    kind = "true or false" if isinstance(value, bool) else "null" if value is None else "a number"
    return _problem(
        event,
        f"a key is text, and {written[:80] or 'nothing'} without quotes is {kind}",
        hint=f'write "{written[:80]}"',
        code="wrong_type",
    )


def _twice(event: Any, key: str) -> ParseProblem:
    shown = key if len(key) <= 80 else key[:79] + "…"
    return _problem(
        event,
        f'the key "{shown}" stands in this mapping twice',
        hint="remove one of the two",
        code="duplicate_key",
    )
