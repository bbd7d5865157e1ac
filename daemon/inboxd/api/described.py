"""What the source of a class or function says of it, as Markdown: for `inboxd.api.reference`."""

from __future__ import annotations

import ast
import enum
import inspect
import re
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Attribute", "attributes", "docstring", "methods", "signature"]

#: A signature that is longer stands on several lines.
_WIDTH = 88

#: A default that is longer says little; the docstring tells what it means.
_LONGEST_DEFAULT = 30

_SECTIONS = {"Args": "Arguments", "Returns": "Returns", "Yields": "Yields", "Raises": "Raises"}
_SECTION = re.compile(rf"^({'|'.join(_SECTIONS)}):\n", re.MULTILINE)
_ENTRY = re.compile(r"^(\*{0,2}[\w.]+(?:, \w+)*): ", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One attribute of a class, or member of an enum."""

    name: str
    #: As it is annotated; for a member of an enum its value. Empty: the source does not say.
    type: str
    #: One line; empty: the source says nothing.
    meaning: str


def signature(function: Callable[..., Any], name: str) -> str:
    """Return how a function is called, types and defaults as they stand in the source."""
    found = inspect.signature(function)
    words: list[str] = []
    for parameter in found.parameters.values():
        if parameter.name == "self":
            continue
        stars = ""
        if parameter.kind is parameter.VAR_KEYWORD:
            stars = "**"
        elif parameter.kind is parameter.VAR_POSITIONAL:
            stars = "*"
        elif parameter.kind is parameter.KEYWORD_ONLY and not any(
            word.startswith("*") for word in words
        ):
            words.append("*")
        words.append(f"{stars}{parameter.name}{_annotated(parameter)}")
    lead = "async " if inspect.iscoroutinefunction(function) else ""
    returned = found.return_annotation
    tail = "" if returned in (found.empty, None, "None") else f" -> {_text(returned)}"
    one = f"{lead}{name}({', '.join(words)}){tail}"
    if len(one) <= _WIDTH:
        return one
    lines = "".join(f"    {word},\n" for word in words)
    return f"{lead}{name}(\n{lines}){tail}"


def docstring(what: object) -> str:
    """Return a docstring as Markdown, its sections as lists; empty where there is none."""
    text = inspect.cleandoc(getattr(what, "__doc__", None) or "")
    opening, *pieces = _SECTION.split(text)
    parts = [opening.strip()]
    for title, body in zip(pieces[::2], pieces[1::2], strict=True):
        block, rest = _indented(body)
        parts += [f"{_SECTIONS[title]}:{_entries(block)}", rest]
    return "\n\n".join(part for part in parts if part)


def attributes(kind: type[Any]) -> Iterator[Attribute]:
    """Yield what can be read of an object: fields, properties, members; in the source's order."""
    lines = textwrap.dedent(inspect.getsource(kind)).splitlines()
    (body,) = ast.parse("\n".join(lines)).body
    assert isinstance(body, ast.ClassDef)  # noqa: S101 - it is the source of a class
    is_enum = issubclass(kind, enum.Enum)
    for node in body.body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            yield from (each for each in _assigned(node, lines) if each.meaning)
        elif isinstance(node, ast.FunctionDef) and _is_property(node) and node.name[0] != "_":
            meaning = " ".join((ast.get_docstring(node) or "").split())
            returned = "" if node.returns is None else ast.unparse(node.returns)
            yield Attribute(name=node.name, type=returned, meaning=meaning)
        elif isinstance(node, ast.AnnAssign | ast.Assign):
            yield from _of_assignment(node, lines, is_enum=is_enum)


def methods(kind: type[Any]) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the public methods of a class, in the order of the source."""
    for name, member in vars(kind).items():
        if not name.startswith("_") and inspect.isfunction(member):
            yield name, member


def _annotated(parameter: inspect.Parameter) -> str:
    text = "" if parameter.annotation is parameter.empty else f": {_text(parameter.annotation)}"
    if parameter.default is parameter.empty:
        return text
    default = repr(parameter.default)
    if len(default) > _LONGEST_DEFAULT:
        default = "…"
    return f"{text} = {default}" if text else f"={default}"


def _text(annotation: object) -> str:
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def _indented(body: str) -> tuple[str, str]:
    """Return the indented lines that a section begins with, and what follows them."""
    lines = body.splitlines()
    ends = (n for n, line in enumerate(lines) if line and not line.startswith(" "))
    end = next(ends, len(lines))
    return textwrap.dedent("\n".join(lines[:end])).strip(), "\n".join(lines[end:]).strip()


def _entries(block: str) -> str:
    """Return `name: text` entries as a list; a text without such entries as it is."""
    names = list(_ENTRY.finditer(block))
    if not names or names[0].start():
        return f" {block}"
    ends = [match.start() for match in names[1:]] + [len(block)]
    return "\n" + "".join(
        f"\n- `{match[1].replace(', ', '`, `')}`: {' '.join(block[match.end() : end].split())}"
        for match, end in zip(names, ends, strict=True)
    )


def _is_property(node: ast.FunctionDef) -> bool:
    return any(isinstance(each, ast.Name) and each.id == "property" for each in node.decorator_list)


def _assigned(init: ast.FunctionDef, lines: list[str]) -> Iterator[Attribute]:
    """Yield the attributes that `__init__` sets."""
    for node in ast.walk(init):
        if isinstance(node, ast.AnnAssign | ast.Assign):
            yield from _of_assignment(node, lines, is_enum=False, of="self")


def _of_assignment(
    node: ast.AnnAssign | ast.Assign, lines: list[str], *, is_enum: bool, of: str | None = None
) -> Iterator[Attribute]:
    target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
    if of is None and isinstance(target, ast.Name):
        name = target.id
    elif of is not None and isinstance(target, ast.Attribute) and ast.unparse(target.value) == of:
        name = target.attr
    else:
        return
    if name.startswith("_"):
        return
    kind = ""
    if is_enum and node.value is not None:
        kind = ast.unparse(node.value)
    elif isinstance(node, ast.AnnAssign):
        kind = ast.unparse(node.annotation)
    yield Attribute(name=name, type=kind, meaning=_comment_above(node.lineno, lines))


def _comment_above(line: int, lines: list[str]) -> str:
    """Return the `#:` comment right above a line (from 1)."""
    found: list[str] = []
    for text in reversed(lines[: line - 1]):
        if not text.strip().startswith("#:"):
            break
        found.append(text.strip().removeprefix("#:").strip())
    return " ".join(reversed(found))
