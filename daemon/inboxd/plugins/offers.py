"""What plugins offer: executors and suffixes, each checked, and each with one owner."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from inboxd.names import escaped
from inboxd.plugins.decorator import executors_in
from inboxd.plugins.executor_check import executor_problem
from inboxd.plugins.failures import said
from inboxd.plugins.protocol import Executor

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from inboxd.plugins.hooks import Implementation
    from inboxd.plugins.installed import Candidate
    from inboxd.plugins.loaded import BrokenPlugin

__all__ = ["ask_executors", "ask_suffixes", "suffix_owners", "without_rivals"]

#: The built-in plugin that makes executors of `[executors.NAME] argv = [...]`.
_PROGRAMS = "programs"
#: More suffixes of one plugin are not looked at.
_MOST_SUFFIXES = 100
_SUFFIX = re.compile(r"(\.[a-z0-9][a-z0-9_+-]*)+")
#: Names that end so are never taken, or are answers.
_TAKEN_ENDINGS = (".json", ".tmp", ".part")


def ask_executors(candidate: Candidate, limit_seconds: float) -> list[BrokenPlugin]:
    """Fill in a plugin's executors; return what is wrong with those that it does not get."""
    implementation = candidate.implementation("inboxd_executors")
    try:
        answer = candidate.within(
            limit_seconds,
            lambda: [(one, executor_problem(one)) for one in _offered(candidate, implementation)],
        )
    except BaseException as error:  # the door of one plugin: SystemExit too
        return [candidate.broken(f"inboxd_executors() failed: {said(error)}", error)]
    problems: list[BrokenPlugin] = []
    for executor, found_problem in answer:
        problem = found_problem
        if problem is None and executor.name in candidate.executors:
            problem = f'it offers two executors named "{executor.name}"'
        if problem is None:
            candidate.executors[executor.name] = executor
        else:
            problems.append(candidate.broken(problem))
    return problems


def _offered(candidate: Candidate, implementation: Implementation | None) -> Iterable[Any]:
    if implementation is None or isinstance(candidate.plugin, Executor):
        yield from executors_in(candidate.plugin)  # itself, or what is decorated in the module
    if implementation is not None:
        yield from implementation()


def without_rivals(
    candidates: Sequence[Candidate],
) -> tuple[dict[str, Candidate], list[BrokenPlugin]]:
    """Return who gets each executor's name: nobody, when two plugins that are not ours offer it."""
    offers: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        for name in candidate.executors:
            offers.setdefault(name, []).append(candidate)
    owners: dict[str, Candidate] = {}
    problems: list[BrokenPlugin] = []
    for name, rivals in offers.items():
        keeper = rivals[0] if len(rivals) == 1 or rivals[0].is_ours else None
        if keeper is not None:
            owners[name] = keeper
        if len(rivals) == 1:
            continue
        who = " and ".join(sorted({rival.distribution for rival in rivals}))
        verdict = "the built-in one is used" if keeper else "neither is used: uninstall one"
        reason = f'executor "{name}" is offered by {who}; {verdict}'
        advice = None
        if keeper is not None and keeper.name == _PROGRAMS:
            table = f"[executors.{name}]"
            reason = f'executor "{name}" is not used: {table} has an argv, and so takes its name'
            advice = f"take argv out of {table}, or give the program a table of another name"
        for rival in rivals:
            if rival is not keeper:
                del rival.executors[name]
                problems.append(replace(rival.broken(reason, executor=name), advice=advice))
    return owners, problems


def ask_suffixes(candidate: Candidate, limit_seconds: float) -> list[BrokenPlugin]:
    """Fill in a plugin's suffixes; return what is wrong with those that it does not get."""
    implementation = candidate.implementation("inboxd_file_suffixes")
    if implementation is None:
        return []
    try:
        answer = candidate.within(limit_seconds, lambda: _suffixes(implementation()))
    except BaseException as error:  # the door of one plugin: SystemExit too
        return [candidate.broken(f"inboxd_file_suffixes() failed: {said(error)}", error)]
    problems: list[BrokenPlugin] = []
    if candidate.implementation("inboxd_parse_file") is None:
        return [candidate.broken("it names suffixes, but has no inboxd_parse_file to read a file")]
    for suffix in answer:
        problem = suffix_problem(suffix)
        if problem is None:
            candidate.suffixes.append(suffix)
        else:
            problems.append(candidate.broken(f"inboxd_file_suffixes() gave {problem}"))
    return problems


def suffix_owners(
    candidates: Sequence[Candidate],
) -> tuple[dict[str, str], list[BrokenPlugin]]:
    """Return who reads each suffix: nobody, when two plugins that are not ours name it."""
    namers: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        for suffix in candidate.suffixes:
            namers.setdefault(suffix, []).append(candidate)
    owners: dict[str, str] = {}
    problems: list[BrokenPlugin] = []
    for suffix, rivals in namers.items():
        keeper = rivals[0] if len(rivals) == 1 or rivals[0].is_ours else None
        if keeper is not None:
            owners[suffix] = keeper.name
        who = " and ".join(sorted(rival.distribution for rival in rivals))
        for rival in rivals:
            if rival is not keeper:
                rival.suffixes.remove(suffix)
                problems.append(
                    rival.broken(
                        f"files *{suffix} are read by {who}; neither is used: uninstall one"
                    )
                )
    return owners, problems


def suffix_problem(suffix: object) -> str | None:
    """Return what is wrong with a suffix of task files, or None."""
    shown = escaped(repr(suffix))[:100]
    if not isinstance(suffix, str) or _SUFFIX.fullmatch(suffix) is None:
        return f'{shown}, not a suffix in lower case with its dot, as ".yaml"'
    if suffix.endswith(_TAKEN_ENDINGS):
        return f"{shown}, which is inboxd's own or never taken"
    return None


def _suffixes(answer: object) -> list[str]:
    if isinstance(answer, str):
        raise TypeError(f"it gave the text {answer!r}, not a list of suffixes")
    given = cast("Iterable[Any]", answer)
    return list(dict.fromkeys(one for one, _ in zip(given, range(_MOST_SUFFIXES), strict=False)))
