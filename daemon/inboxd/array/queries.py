"""
The door to the JMESPath library: parse what follows a reference, and evaluate it within a bound.

An expression of a few hundred characters can double a value at each step (`[@,@] | [@,@] | …`), so
that evaluating it would take all memory and all time; so each step is counted (ADR 0018).
"""

from __future__ import annotations

from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

import jmespath
import msgspec
from jmespath.exceptions import (
    IncompleteExpressionError,
    JMESPathError,
    JMESPathTypeError,
    LexerError,
    ParseError,
)
from jmespath.functions import Functions
from jmespath.visitor import TreeInterpreter

from inboxd.array.expressions import LONGEST_QUERY
from inboxd.names import escaped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["MOST_STEPS", "Allowance", "Query", "QueryError", "parse_query"]

#: Levels of one expression: both the library's parser and its interpreter recurse.
_DEEPEST = 50
#: What the expressions of one attempt may take together, plain paths left out. A step is a node
#: visited or a value made; so many took some tenths of a second at the worst (measured in
#: ADR 0018), for which everything else that refers to results waits.
MOST_STEPS = 100_000
#: So many characters of a text count as one step: copying them is quick.
_CHARACTERS_A_STEP = 8

#: Nodes of which each is visited at most once, and makes nothing: a path made of these takes no
#: more than it is long, so it is not counted, and a task may gather thousands.
_PLAIN = frozenset(
    {"field", "identity", "current", "subexpression", "index", "index_expression", "pipe"}
    | {"literal", "or_expression", "and_expression", "not_expression"}
)

#: What the library raises for values that do not fit: its own errors, and Python's where it does
#: not look first (a text compared with a number, `sort` of mixed values).
_EVALUATION_ERRORS = (
    JMESPathError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)

_LIBRARY = Functions()
_FUNCTIONS: Mapping[str, Any] = _LIBRARY.FUNCTION_TABLE


class QueryError(Exception):
    """An expression that does not parse, or cannot be evaluated; the text says why, for people."""


class Allowance:
    """The steps that are left to the expressions of one attempt."""

    __slots__ = ("left",)

    def __init__(self, steps: int = MOST_STEPS) -> None:
        self.left = steps

    def spend(self, steps: int) -> None:
        """
        Count steps.

        Raises:
            QueryError: there are not so many left.
        """
        self.left -= steps
        if self.left < 0:
            raise QueryError(
                f"the expressions of one task may take {MOST_STEPS:,} steps, and take more;"
                " let the task that makes the data choose what is wanted"
            )


class Query:
    """A JMESPath expression over one value, as it follows `.result`."""

    __slots__ = ("_is_plain", "_tree")

    def __init__(self, tree: Any, *, is_plain: bool) -> None:
        """Take the library's tree; `parse_query` makes these."""
        self._tree = tree
        self._is_plain = is_plain

    def evaluate(self, value: Any, allowance: Allowance) -> Any:
        """
        Return what the expression finds in a value, None where it finds nothing.

        Args:
            value: decoded JSON; not changed, and what is returned may share its parts.
            allowance: is spent, but by plain paths.

        Raises:
            QueryError: it cannot be evaluated.
        """
        spent = Allowance() if self._is_plain else allowance
        try:
            return _Interpreter(spent).visit(self._tree, value)
        except _EVALUATION_ERRORS as error:
            raise QueryError(_reason(error)) from error


@lru_cache(maxsize=1_024)
def parse_query(text: str) -> Query:
    """
    Parse what follows `.result`: `.items[0].url`, `[0]`, ` | length(@)`, or nothing at all.

    It is the expression that is left when `@`, the whole value, is written before it.

    Raises:
        QueryError: it is no such expression; the text says what, and at which character of *text*.
    """
    if len(text) > LONGEST_QUERY:
        raise QueryError(f"it has {len(text):,} characters; at most {LONGEST_QUERY:,} are taken")
    if "`" in text:
        _check_literals(text)
    try:
        tree: Any = jmespath.compile(f"@{text}").parsed
    except RecursionError:
        raise QueryError("it is nested too deep") from None
    except ParseError as error:
        raise QueryError(_parse_reason(error)) from error
    except JMESPathError as error:
        raise QueryError(_reason(error)) from error
    types = _check_tree(tree)
    return Query(tree, is_plain=types <= _PLAIN)


def _check_literals(text: str) -> None:
    """Refuse a literal that is no JSON, which the library takes with a warning as text."""
    for start, literal in _literals(text):
        try:
            msgspec.json.decode(literal.replace("\\`", "`"))
        except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
            shown = escaped(literal)[:60]
            raise QueryError(
                f"at character {start + 1}: `{shown}` is no JSON (a text is written '{shown}')"
            ) from None


def _literals(text: str) -> Iterator[tuple[int, str]]:
    """Yield where each literal in backticks begins, and what is in it; stops at an open quote."""
    at = 0
    while at < len(text):
        mark = text[at]
        if mark not in "'\"`":
            at += 1
            continue
        end = at + 1
        while end < len(text) and text[end] != mark:
            end += 2 if text[end] == "\\" else 1
        if end >= len(text):
            return
        if mark == "`":
            yield at, text[at + 1 : end]
        at = end + 1


def _check_tree(tree: dict[str, Any]) -> set[str]:
    """
    Return the types of the nodes of a tree.

    Raises:
        QueryError: it could never be evaluated: nested too deep, an unknown function, a step of 0,
            `&` where no function takes an expression.
    """
    types: set[str] = set()
    rest: list[tuple[dict[str, Any], int]] = [(tree, 1)]
    while rest:
        node, depth = rest.pop()
        if depth > _DEEPEST:
            raise QueryError("it is nested too deep")
        children: list[Any] = node["children"]
        types.add(node["type"])
        if node["type"] == "expref":
            raise QueryError("& stands only before an argument of a function such as sort_by()")
        if node["type"] == "slice":
            if children[2] == 0:
                raise QueryError("the step of a slice is not 0")
            continue
        if node["type"] == "function_expression":
            _check_function(node["value"], len(children))
            children = _without_references(node["value"], children)
        rest.extend((child, depth + 1) for child in children)
    return types


def _check_function(name: str, count: int) -> None:
    known = _FUNCTIONS.get(name)
    if known is None:
        near = get_close_matches(name, _FUNCTIONS, n=1)
        hint = f"; did you mean {near[0]}()?" if near else ""
        raise QueryError(f"there is no function {escaped(name)[:60]}(){hint}")
    signature: tuple[dict[str, Any], ...] = known["signature"]
    if len(signature) == count:
        return
    is_variadic = bool(signature) and bool(signature[-1].get("variadic"))
    if not is_variadic or count < len(signature):
        most = "at least " if is_variadic else ""
        raise QueryError(f"{name}() takes {most}{len(signature)} arguments, not {count}")


def _without_references(name: str, arguments: list[Any]) -> list[Any]:
    """Return the arguments of a function; those with `&`, where it takes them, without that."""
    signature: tuple[dict[str, Any], ...] = _FUNCTIONS[name]["signature"]
    found: list[Any] = []
    for index, argument in enumerate(arguments):
        types = signature[min(index, len(signature) - 1)]["types"]
        is_taken = argument["type"] == "expref" and "expref" in types
        found.append(argument["children"][0] if is_taken else argument)
    return found


def _parse_reason(error: ParseError) -> str:
    """Return what does not parse and where; characters count from 1, the `@` is not counted."""
    if isinstance(error, IncompleteExpressionError):
        return "it ends too early"
    if isinstance(error, LexerError):
        return f"at character {max(1, error.lexer_position)}: {escaped(error.message)[:200]}"
    token = error.token_value
    if token == "":
        return "it ends too early"
    shown = escaped(str(token))[:60]
    return f"at character {max(1, error.lex_position)}, {shown}: {escaped(error.msg)[:200]}"


def _reason(error: BaseException) -> str:
    if isinstance(error, RecursionError):
        return "the value is nested too deep for it"
    if isinstance(error, JMESPathTypeError):
        # The library's own sentence holds the value, which may be large, or nobody's business.
        wanted = " or ".join(error.expected_types)
        return f"{error.function_name}() takes {wanted}, not {error.actual_type}"
    return escaped(str(error))[:300] or type(error).__name__


class _Interpreter(TreeInterpreter):
    """The library's interpreter, with each step counted."""

    def __init__(self, allowance: Allowance) -> None:
        super().__init__()
        self._allowance = allowance

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        self._allowance.spend(1)
        return super().visit(node, *args, **kwargs)

    def visit_literal(self, node: Any, value: Any) -> Any:
        return self._weighed(super().visit_literal(node, value))

    def visit_multi_select_list(self, node: Any, value: Any) -> Any:
        return self._weighed(super().visit_multi_select_list(node, value))

    def visit_multi_select_dict(self, node: Any, value: Any) -> Any:
        return self._weighed(super().visit_multi_select_dict(node, value))

    def visit_comparator(self, node: Any, value: Any) -> Any:
        left = self.visit(node["children"][0], value)
        right = self.visit(node["children"][1], value)
        # Equal values are compared to their ends.
        self._weighed(left)
        constants: Any = {**node, "children": [_constant(left), _constant(right)]}
        return super().visit_comparator(constants, value)

    def visit_evaluated(self, node: Any, value: Any) -> Any:
        """Give a value that was counted already; see `visit_comparator`."""
        return node["value"]

    def visit_flatten(self, node: Any, value: Any) -> Any:
        return self._measured(super().visit_flatten(node, value))

    def visit_slice(self, node: Any, value: Any) -> Any:
        return self._measured(super().visit_slice(node, value))

    def visit_function_expression(self, node: Any, value: Any) -> Any:
        arguments = [self.visit(child, value) for child in node["children"]]
        name: str = node["value"]
        for argument in arguments:
            if name in ("to_string", "contains"):
                self._weighed(argument)
            else:
                self._measured(argument)
        if name == "join" and len(arguments) == 2:
            self._measure_joined(*arguments)
        result: Any = _LIBRARY.call_function(name, arguments)
        return result

    def _measure_joined(self, separator: Any, parts: Any) -> None:
        """Count the text that join() makes, before it is made."""
        if isinstance(separator, str) and isinstance(parts, list):
            texts = [part for part in cast("Sequence[Any]", parts) if isinstance(part, str)]
            length = sum(map(len, texts)) + len(separator) * len(texts)
            self._allowance.spend(length // _CHARACTERS_A_STEP)

    def _measured(self, value: Any) -> Any:
        """Count how long a value is, without what lies in it."""
        if isinstance(value, str):
            self._allowance.spend(len(value) // _CHARACTERS_A_STEP)
        elif isinstance(value, list):
            self._allowance.spend(len(cast("Sequence[Any]", value)))
        elif isinstance(value, dict):
            self._allowance.spend(len(cast("dict[str, Any]", value)))
        return cast("Any", value)

    def _weighed(self, value: Any) -> Any:
        """Count all that a value holds: what stands in it twice counts twice."""
        rest: list[Any] = [value]
        while rest:
            part = rest.pop()
            if isinstance(part, str):
                self._allowance.spend(len(part) // _CHARACTERS_A_STEP)
            elif isinstance(part, dict):
                members = cast("dict[str, Any]", part)
                self._allowance.spend(len(members))
                rest.extend(members.values())
            elif isinstance(part, list):
                items = cast("Sequence[Any]", part)
                self._allowance.spend(len(items))
                rest.extend(items)
        return value


def _constant(value: Any) -> dict[str, Any]:
    """Return a node of our own that gives a value; see `_Interpreter.visit_evaluated`."""
    return {"type": "evaluated", "value": value, "children": []}
