"""
Check a task array: bytes in, a checked array or the list of all that is wrong out.

Three passes, each a chunk at a time, so that memory stays bounded and no single call holds the
interpreter for long: what each task says by itself (`survey`), what tasks say of each other
(`links`), and, only for an array without errors and only when asked for, the specs (`specs`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from inboxd.array.cycles import cycle_text, edge_cycles, parent_cycles
from inboxd.array.decode import ChunkReader
from inboxd.array.envelope import read_envelope
from inboxd.array.limits import DEEPEST, Limits
from inboxd.array.links import Links
from inboxd.array.locate import lines_and_columns
from inboxd.array.naming import Naming
from inboxd.array.outline import read_outline
from inboxd.array.placing import path_of, place
from inboxd.array.problem import Finding, Path, Problem, ProblemCode
from inboxd.array.result_references import ResultReferences
from inboxd.array.specs import SpecBuilder, in_batches
from inboxd.array.survey import Survey

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from inboxd.array.catalog import Catalog
    from inboxd.array.envelope import Envelope
    from inboxd.array.outline import Outline
    from inboxd.array.placing import Positions
    from inboxd.array.split import Chunk, Items
    from inboxd.task import TaskSpec

__all__ = ["CheckedArray", "RejectedArray", "check_array"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedArray:
    """A file in which something is wrong."""

    #: The first 100 in the order of the document, at least one.
    problems: list[Problem]
    #: True: there are more.
    has_more: bool = False
    warnings: list[Problem] = field(default_factory=list[Problem])


class CheckedArray:
    """An array in which nothing is wrong; it keeps the file's bytes, and decodes them again."""

    def __init__(
        self,
        envelope: Envelope,
        naming: Naming,
        chunks: Sequence[_SeenChunk],
        builder: SpecBuilder,
        warnings: list[Problem],
        key_place: tuple[int, int] | None,
        outline: Outline,
        positions: Positions | None,
    ) -> None:
        self.name = envelope.name
        self.user_id = envelope.user_id
        self.idempotency_key = envelope.idempotency_key
        #: Line and column of the key's value, for whoever finds it in use; None without a key.
        self.key_place = key_place
        self.strict_priority = envelope.strict_priority
        #: JSON object with the envelope's `metadata` and `x-…`; None when there is nothing.
        self.other = envelope.other
        #: The first 100 in the order of the document.
        self.warnings = warnings
        #: By position.
        self.ids: Sequence[str] = naming.ids
        self._parts = naming.parts
        self._chunks = chunks
        self._builder = builder
        self._outline = outline
        self._positions = positions

    @property
    def tasks_path(self) -> Path:
        """The path of the array of tasks in the document."""
        return () if self._outline.items is None else self._outline.items.path

    def placed(self, problems: Iterable[Problem]) -> RejectedArray:
        """Return the array as one that is rejected for these problems, by their pointers."""
        outline = self._outline
        findings = [
            Finding(
                code=problem.code,
                path=path_of(outline, problem.pointer),
                message=problem.message,
                hint=problem.hint,
            )
            for problem in problems
        ]
        placed, has_more = place(outline, findings, self._positions)
        return RejectedArray(problems=placed, has_more=has_more, warnings=self.warnings)

    @property
    def task_count(self) -> int:
        """How many tasks the array has, at least one."""
        return len(self.ids)

    def specs(self) -> Iterator[TaskSpec]:
        """Yield all tasks in order of position; decodes the file again, chunk by chunk."""
        for seen, ids in zip(self._chunks, self._parts, strict=True):
            yield from self._builder.specs(
                seen.chunk, ids, has_own_keys=seen.has_own_keys, has_openings=seen.has_openings
            )

    def batches(self, size: int) -> Iterator[list[TaskSpec]]:
        """Yield all tasks in order of position, *size* at a time; the last may be fewer."""
        return in_batches(self.specs(), size)


@dataclass(frozen=True, slots=True, kw_only=True)
class _SeenChunk:
    """A chunk, and what the first pass learned about it."""

    chunk: Chunk
    is_plain: bool
    has_links: bool
    has_openings: bool
    has_own_keys: bool


def check_array(
    data: bytes,
    *,
    limits: Limits | None = None,
    catalog: Catalog,
    positions: Positions | None = None,
) -> CheckedArray | RejectedArray:
    """
    Check one task file by every rule of its format.

    Args:
        data: the whole file.
        limits: how large it may be; default: the settings' defaults.
        catalog: who executes.
        positions: gives lines and columns where *data* was made from a file of another format;
            None: *data* is the file.

    Returns:
        The array, or what is wrong with it. Nothing is raised, whatever the bytes are.
    """
    limits = limits or Limits()
    limits = replace(limits, max_depth=min(limits.max_depth, DEEPEST))
    if len(data) > limits.max_bytes:
        return RejectedArray(problems=[_too_large(len(data), limits)])
    return _Check(data, limits, catalog, positions).result()


class _Check:
    """One file on its way through the passes."""

    def __init__(
        self, data: bytes, limits: Limits, catalog: Catalog, positions: Positions | None
    ) -> None:
        self._data = data
        self._limits = limits
        self._catalog = catalog
        self._positions = positions
        self._outline = read_outline(data, limits)
        self._findings = list(self._outline.findings)
        self._warnings: list[Finding] = []
        self._has_more = False

    def result(self) -> CheckedArray | RejectedArray:
        outline = self._outline
        if outline.broken is not None:
            return self._reject_broken(outline.broken)
        envelope = read_envelope(outline)
        self._findings.extend(envelope.findings)
        items = outline.items
        if items is None:
            return self._reject()
        if items.count == 0:
            self._findings.append(_empty(items))
            return self._reject()
        reader = self._reader(items)
        survey = Survey(self._catalog, path=items.path, defaults=envelope.defaults.checked)
        seen = self._survey(items, reader, survey)
        self._take(survey.findings.kept, survey.findings.overflowed)
        self._warnings = survey.warnings.kept
        if seen is None:
            return self._reject()
        naming = Naming(survey, path=items.path)
        self._take(naming.findings.kept, naming.findings.overflowed)
        links = self._link(seen, reader, naming, items.path)
        self._take(links.findings.kept, links.findings.overflowed)
        cycles = list(_cycles(links, naming.ids, items.path))
        self._findings.extend(cycles)
        references = self._refer(seen, reader, survey, links, has_cycles=bool(cycles))
        self._take(references.findings.kept, references.findings.overflowed)
        if self._findings:
            return self._reject()
        builder = SpecBuilder(
            reader=reader,
            defaults=envelope.defaults,
            task_count=items.count,
            links=links,
            naming=naming,
            executors=survey.executors,
            entries=survey.entries,
        )
        warnings, _ = place(outline, self._warnings, self._positions)
        return CheckedArray(
            envelope,
            naming,
            seen,
            builder,
            warnings,
            self._key_place(),
            outline,
            self._positions,
        )

    def _key_place(self) -> tuple[int, int] | None:
        member = self._outline.members.get("idempotency_key")
        if member is None:
            return None
        if self._positions is not None:
            return self._positions(("idempotency_key",), at_key=False)
        return lines_and_columns(self._data, (member.value_at,))[member.value_at]

    def _reader(self, items: Items) -> ChunkReader:
        return ChunkReader(self._data, path=items.path, max_depth=self._limits.max_depth)

    def _survey(self, items: Items, reader: ChunkReader, survey: Survey) -> list[_SeenChunk] | None:
        """Make the first pass; None when part of the text could not be read at all."""
        seen: list[_SeenChunk] | None = []
        for chunk in items.chunks:
            decoded = reader.read(chunk)
            if decoded.broken is not None:
                self._findings.append(decoded.broken)
                seen = None
            if seen is None:
                self._findings.extend(decoded.findings)
                continue
            has_links, has_openings = survey.add(chunk, decoded)
            seen.append(
                _SeenChunk(
                    chunk=chunk,
                    is_plain=decoded.is_plain,
                    has_links=has_links,
                    has_openings=has_openings,
                    has_own_keys=decoded.has_own_keys,
                )
            )
        return seen

    def _link(
        self, seen: Sequence[_SeenChunk], reader: ChunkReader, naming: Naming, path: Path
    ) -> Links:
        links = Links(naming, path=path)
        for one in seen:
            chunk = one.chunk
            if not one.has_links:
                links.add_unlinked(chunk.count)
            elif one.is_plain:
                links.add(reader.read_links(chunk), chunk.first)
            else:
                decoded = reader.read(chunk)
                bad = (decoded.bad_fields(index) for index in range(chunk.count))
                links.add_checked(zip(decoded.tasks, bad, strict=True), chunk.first)
        return links

    def _refer(
        self,
        seen: Sequence[_SeenChunk],
        reader: ChunkReader,
        survey: Survey,
        links: Links,
        *,
        has_cycles: bool,
    ) -> ResultReferences:
        references = ResultReferences(
            links.naming,
            links,
            path=links.path,
            catalog=self._catalog,
            entries=survey.entries,
            executors=survey.executors,
            default_inputs=survey.default_inputs,
            has_cycles=has_cycles,
        )
        for one in seen:
            if one.has_openings:
                decoded = reader.read(one.chunk)
                bad = (decoded.bad_fields(index) for index in range(one.chunk.count))
                references.add(zip(decoded.tasks, bad, strict=True), one.chunk.first)
        return references

    def _take(self, findings: Sequence[Finding], overflowed: bool) -> None:
        self._findings.extend(findings)
        self._has_more = self._has_more or overflowed

    def _reject_broken(self, broken: Finding) -> RejectedArray:
        """Reject a document that cannot be read to its end; what comes before is looked at too."""
        self._findings.append(broken)
        items = self._outline.items
        if items is not None and broken.code is not ProblemCode.TOO_MANY_TASKS:
            reader = self._reader(items)
            for chunk in items.chunks:
                decoded = reader.read(chunk)
                self._findings.extend(decoded.findings)
                if decoded.broken is not None:
                    self._findings.append(decoded.broken)
                if len(self._findings) > 1_000:
                    self._has_more = True
                    break
        return self._reject()

    def _reject(self) -> RejectedArray:
        problems, has_more = place(self._outline, self._findings, self._positions)
        warnings, _ = place(self._outline, self._warnings, self._positions)
        return RejectedArray(
            problems=problems, has_more=has_more or self._has_more, warnings=warnings
        )


def _cycles(links: Links, ids: Sequence[str], path: Path) -> Iterator[Finding]:
    """Yield a finding for each circle of dependencies and of parents."""
    if not links.edges_point_back:
        for cycle in edge_cycles(links.edge_starts, links.edges):
            text = cycle_text([ids[position] for position in cycle])
            yield Finding(
                code=ProblemCode.DEPENDENCY_CYCLE,
                path=(*path, cycle[0], "dependencies"),
                message=f"these tasks wait for each other: {text}",
                hint="remove one of these dependencies",
            )
    if not links.parents_point_back:
        for cycle in parent_cycles(links.parents):
            text = cycle_text([ids[position] for position in cycle])
            yield Finding(
                code=ProblemCode.PARENT_CYCLE,
                path=(*path, cycle[0], "parent_id"),
                message=f"these tasks are each other's parents: {text}",
                hint="remove one of these parents",
            )


def _empty(items: Items) -> Finding:
    return Finding(
        code=ProblemCode.EMPTY_ARRAY,
        path=items.path,
        message="the array has no task",
        hint="put at least one task in it",
        offset=items.opened_at,
    )


def _too_large(size: int, limits: Limits) -> Problem:
    return Problem(
        code=ProblemCode.TOO_LARGE,
        pointer="",
        line=None,
        column=None,
        message=f"the file has {size:,} bytes; at most {limits.max_bytes:,} are taken",
        hint="split it into several files, or raise `[inbox] max_file_bytes`",
    )
