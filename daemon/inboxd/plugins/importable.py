"""Where another process can import an executor of this one from."""

from __future__ import annotations

import sys
from operator import attrgetter
from typing import TYPE_CHECKING

from inboxd.errors import PluginError
from inboxd.names import escaped
from inboxd.plugins.loaded import ExecutorOrigin
from inboxd.plugins.protocol import Isolation

if TYPE_CHECKING:
    from inboxd.plugins.live_executors import LiveExecutors
    from inboxd.plugins.protocol import Executor

__all__ = ["importable_value", "offer_own"]


def offer_own(executors: LiveExecutors, executor: Executor) -> None:
    """
    Add an executor that `@executor` made in this process, in place of another of its name.

    Raises:
        PluginError: it cannot be used; the text says why.
    """
    value = f"{type(executor).__module__}:{executor.name}"
    if executor.isolation == Isolation.PROCESS:
        value = importable_value(executor)
    origin = ExecutorOrigin(group="", name=executor.name, value=value, distribution="this process")
    executors.offer(executor.name, executor, origin)


def importable_value(executor: Executor) -> str:
    """
    Return where an executor that runs in a worker process is imported from: `module:name`.

    That is the form of an entry point's value. It is looked up here as the worker will: the name in
    the module must be this very executor, so that no other is run in its place.

    Raises:
        PluginError: another process cannot import it; the text says why, and what to do.
    """
    # A function says it itself; of an instance its class does.
    own = executor if hasattr(executor, "__qualname__") else type(executor)
    module_name: str = own.__module__
    name: str = getattr(own, "__qualname__", "")
    if module_name == "__main__":
        return _refuse(executor, _why_not_from_main())
    module = sys.modules.get(module_name)
    if module is None or getattr(module, "__spec__", None) is None:
        return _refuse(executor, f"its module {module_name} was not imported from a file")
    if _found(module, name) is executor:
        return f"{module_name}:{name}"
    for variable, member in list(vars(module).items()):
        if member is executor:
            return f"{module_name}:{variable}"
    if "<locals>" in name:
        return _refuse(executor, f"it is defined inside a function, as {name}")
    if _found(module, name) is None:
        return _refuse(executor, f"{module_name} has no {name}")
    return _refuse(executor, f"{name} in {module_name} is something else by now")


def _found(module: object, name: str) -> object:
    """Return what a dotted name stands for in a module; None: nothing."""
    try:
        return attrgetter(name)(module)
    except AttributeError:
        return None


def _why_not_from_main() -> str:
    main = sys.modules.get("__main__")
    if getattr(main, "__file__", None) is None:
        return "it is defined in an interactive session"
    return "it is defined in the script that was started, which another process does not import"


def _refuse(executor: Executor, reason: str) -> str:
    raise PluginError(
        f'executor "{escaped(executor.name)}" cannot run in a worker process, which could not'
        f" import it: {escaped(reason)}; move it to the top level of a module of its own, import"
        ' that, or use isolation="thread"'
    )
