"""
A task as it is decoded, in the three forms that the three passes over an array need.

The decoder checks types, ranges and unknown keys at C speed; what it refuses is looked at again
by `shape`, which says what is wrong. `fields` is the source of both: a test compares them.
A field that is not there is `msgspec.UNSET`, so that a default can be told from a value.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from inboxd.array.values import LONGEST_SECONDS

__all__ = ["CheckedTask", "Edge", "LinkedTask", "RetryFields", "SchemaFields", "StoredTask"]

_LONGEST = int(LONGEST_SECONDS)
_Text: TypeAlias = Annotated[str, Meta(min_length=1)]
_Name: TypeAlias = Annotated[str, Meta(min_length=1, max_length=255)]
_Delay: TypeAlias = (
    Annotated[int, Meta(ge=0, le=_LONGEST)] | Annotated[float, Meta(ge=0, le=_LONGEST)] | str
)
_Timeout: TypeAlias = (
    Annotated[int, Meta(gt=0, le=_LONGEST)] | Annotated[float, Meta(gt=0, le=_LONGEST)] | str
)


class Edge(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A dependency that is written as an object."""

    id: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    on: Literal["success", "failure", "end"] | UnsetType = UNSET
    required: bool | UnsetType = UNSET


class RetryFields(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A `retry` that is written as an object."""

    limit: Annotated[int, Meta(ge=0, le=1_000_000)] | UnsetType = UNSET
    delay: _Delay | UnsetType = UNSET
    backoff: Annotated[float, Meta(ge=1, le=1_000)] | UnsetType = UNSET
    max_delay: _Delay | UnsetType = UNSET
    jitter: Annotated[float, Meta(ge=0, le=1)] | UnsetType = UNSET


class SchemaFields(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """What `schemas` holds."""

    method: _Text | UnsetType = UNSET
    input_schema: dict[str, Any] | bool | UnsetType = UNSET


class CheckedTask(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A task with everything in it decoded: the first pass."""

    id: str | UnsetType = UNSET
    name: _Name | UnsetType = UNSET
    description: str | UnsetType = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET
    user_id: str | UnsetType | None = UNSET
    parent_id: str | UnsetType | None = UNSET
    priority: Annotated[int, Meta(ge=0, le=999)] | UnsetType = UNSET
    dependencies: list[str | Edge] | UnsetType = UNSET
    join: Literal["all", "any"] | UnsetType = UNSET
    allow_failure: bool | UnsetType = UNSET
    executor: _Text | UnsetType = UNSET
    inputs: dict[str, Any] | UnsetType = UNSET
    params: dict[str, Any] | UnsetType = UNSET
    schemas: SchemaFields | UnsetType = UNSET
    retry: Annotated[int, Meta(ge=0, le=1_000_000)] | RetryFields | UnsetType = UNSET
    timeout: _Timeout | UnsetType | None = UNSET
    not_before: str | UnsetType = UNSET
    hold: bool | UnsetType = UNSET
    delivery: Literal["at_least_once", "at_most_once"] | UnsetType = UNSET


class LinkedTask(msgspec.Struct, frozen=True, gc=False):
    """What a task says of others: the second pass, when all ids are known."""

    dependencies: list[str | Edge] | UnsetType = UNSET
    parent_id: str | UnsetType | None = UNSET


class StoredTask(msgspec.Struct, frozen=True, gc=False):
    """A task with its objects as they were written: the third pass, for the store."""

    name: str | UnsetType = UNSET
    description: Raw | UnsetType = UNSET
    metadata: Raw | UnsetType = UNSET
    user_id: Raw | UnsetType = UNSET
    priority: int | UnsetType = UNSET
    join: str | UnsetType = UNSET
    allow_failure: bool | UnsetType = UNSET
    executor: str | UnsetType = UNSET
    inputs: Raw | UnsetType = UNSET
    params: Raw | UnsetType = UNSET
    schemas: Raw | UnsetType = UNSET
    retry: int | RetryFields | UnsetType = UNSET
    timeout: int | float | str | UnsetType | None = UNSET
    not_before: str | UnsetType = UNSET
    hold: bool | UnsetType = UNSET
    delivery: str | UnsetType = UNSET
