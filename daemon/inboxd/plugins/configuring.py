"""Settings of plugins and executors: given to whom they are for, refused if they are nobody's."""

from __future__ import annotations

from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any

from inboxd.names import did_you_mean, escaped
from inboxd.plugins.executor_check import is_executor_name
from inboxd.plugins.failures import said
from inboxd.plugins.protocol import Configurable, PluginConfiguration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from inboxd.config.settings import Settings
    from inboxd.plugins.hooks import Implementation
    from inboxd.plugins.installed import Candidate
    from inboxd.plugins.loaded import BrokenPlugin
    from inboxd.plugins.protocol import Executor

__all__ = [
    "configure_executor",
    "configure_plugin",
    "executor_options",
    "misplaced_executor_settings",
    "unknown_plugin_settings",
]


def configure_plugin(
    candidate: Candidate, settings: Settings, limit_seconds: float
) -> tuple[BrokenPlugin | None, str | None]:
    """Give a plugin its settings; return why it cannot be used, and what is wrong with them."""
    implementation = candidate.implementation("inboxd_configure")
    if implementation is None:
        return None, None
    configuration = PluginConfiguration(
        options=_plugin_options(candidate, settings),
        directory=settings.state.path / "plugins" / candidate.name,
        file=settings.config if settings.config in settings.files else None,
    )
    try:
        wanted = candidate.within(limit_seconds, lambda: _call(implementation, configuration))
    except ValueError as error:
        sources = settings.plugins.sources.get(candidate.name, {})
        return None, _problem(_table(candidate), sources, _words(error, "inboxd_configure"))
    except BaseException as error:  # the door of one plugin: SystemExit too
        problem = f"inboxd_configure() failed: {said(error)}"
        return candidate.broken(problem, error, is_part=False), None
    if wanted is not None:
        had = {one.hook for one in candidate.implementations}
        if strange := sorted(map(str, wanted - had)):
            problem = f"inboxd_configure() wants {escaped(strange[0])}, which the plugin has not"
            return candidate.broken(problem, is_part=False), None
        candidate.implementations = [
            one for one in candidate.implementations if one.hook in wanted or one is implementation
        ]
    return None, None


def _call(
    implementation: Implementation, configuration: PluginConfiguration
) -> frozenset[str] | None:
    """Return the hooks that a plugin wants with these settings; None: all that it has."""
    answer = implementation(configuration=configuration)
    if isinstance(answer, str):
        raise TypeError(f"it gave the text {answer!r}, not a list of hooks")
    return None if answer is None else frozenset(answer)


def configure_executor(
    name: str,
    executor: Executor,
    settings: Settings,
    call: Callable[[Callable[[], None]], None],
) -> tuple[BaseException | None, str | None]:
    """
    Give an executor its settings.

    Args:
        name: its name.
        executor: as its plugin gave it.
        settings: of these `[executors.NAME]`.
        call: calls a function of the plugin, within a time limit.

    Returns:
        What it raised besides ValueError, so that it cannot be used; and a sentence on what is
        wrong with its settings.
    """
    options = executor_options(settings, name)
    if not isinstance(executor, Configurable):
        if not options:
            return None, None
        first = escaped(next(iter(options)))
        problem = f"this executor has no settings but `enabled`; take `{first}` out"
        return None, _executor_problem(settings, name, problem)
    try:
        call(lambda: executor.configure(options))
    except ValueError as error:
        return None, _executor_problem(settings, name, _words(error, "configure"))
    except BaseException as error:  # the door of one plugin: SystemExit too
        return error, None
    return None, None


def _executor_problem(settings: Settings, name: str, problem: str) -> str:
    """Return what is wrong with a table, and which file or variable says so."""
    table = settings.executors.get(name)
    sources: Mapping[str, str] = {} if table is None else table.sources
    return _problem(f"executors.{escaped(name)}", sources, problem)


def _problem(table: str, sources: Mapping[str, str], problem: str) -> str:
    # Who says so begins with the setting, `path: …`, or has it in backticks.
    said = [key for key in sources if problem.startswith(f"{key}:") or f"`{key}`" in problem]
    files = dict.fromkeys(sources[key] for key in said or sources)
    return ": ".join([*filter(None, [", ".join(files)]), f"[{table}]", problem])


def _words(error: ValueError, function: str) -> str:
    """Return what is said about settings; for an author who said nothing, that."""
    return escaped(str(error)) or f"{function}() refuses it and does not say why"


def misplaced_executor_settings(settings: Settings, owners: Mapping[str, Candidate]) -> list[str]:
    """
    Return one sentence for each `[executors.NAME]` that no executor could have.

    Args:
        settings: of these `[executors]`.
        owners: the plugin of each executor; of those that are switched off too.
    """
    problems: list[str] = []
    for name, table in settings.executors.items():
        owner = owners.get(name)
        if not is_executor_name(name):
            problems.append(
                f'[executors."{escaped(name)}"]: an executor\'s name is letters, digits and ._:-,'
                " at most 128, and begins with a letter or digit; give it another name"
            )
        elif owner is not None and not table.enabled and table.options:
            executor = owner.executors[name]
            if not isinstance(executor, Configurable):
                _, problem = configure_executor(name, executor, settings, lambda call: call())
                problems.extend(filter(None, [problem]))
    return problems


def executor_options(settings: Settings, name: str) -> Mapping[str, Any]:
    """Return the table `[executors.NAME]` without `enabled`."""
    table = settings.executors.get(name)
    return {} if table is None else table.options


def unknown_plugin_settings(
    settings: Settings, candidates: Iterable[Candidate], unseen: Iterable[str]
) -> list[str]:
    """
    Return one sentence for each table `[plugins.NAME]` that nobody reads.

    Args:
        settings: all settings.
        candidates: the plugins that are loaded.
        unseen: the names of those that are broken or kept out: their settings may stand there.
    """
    known = {one.name: one for one in candidates}
    others = set(unseen)
    problems: list[str] = []
    for name in sorted(settings.plugins.options):
        plugin = known.get(name)
        table, sources = f"plugins.{escaped(name)}", settings.plugins.sources.get(name, {})
        problem = None
        if plugin is None:
            if name in others:
                continue
            hint = did_you_mean(name, sorted({*known, *others}))
            problem = (
                f"no plugin of this name is installed; {hint or '`inboxd plugins` lists them'}"
            )
        elif _table(plugin) != f"plugins.{name}":
            problem = f"its settings stand in [{_table(plugin)}]"
        elif plugin.implementation("inboxd_configure") is None:
            problem = "this plugin has no settings; take the table out"
        if problem is not None:
            problems.append(_problem(table, sources, problem))
    return problems


def _table(candidate: Candidate) -> str:
    is_own_section = candidate.is_ours and candidate.name == "notify"
    return "notify" if is_own_section else f"plugins.{escaped(candidate.name)}"


def _plugin_options(candidate: Candidate, settings: Settings) -> Mapping[str, Any]:
    """Return what a plugin's table holds; built-in ones have sections of their own."""
    if _table(candidate) == "notify":
        section = getattr(settings, "notify", None)
        if section is not None and is_dataclass(section) and not isinstance(section, type):
            return asdict(section)
    if candidate.is_ours and candidate.name == "programs":
        return {
            "directory": settings.plugins.directory,
            "executors": {
                name: one.options
                for name, one in settings.executors.items()
                if "argv" in one.options
            },
        }
    return settings.plugins.options.get(candidate.name, {})
