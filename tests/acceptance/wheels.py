"""Wheels made without a build tool: a few modules, metadata and entry points in a zip file."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["executor_module", "make_wheel"]

_EXECUTOR = """
from inboxd.plugins.hookspecs import hookimpl

class One:
    name = "{name}"
    description = "Says {answer}."
    inputs_schema = {{"type": "object", "additionalProperties": False}}
    isolation = "thread"
    def execute(self, inputs, context):
        return "{answer}"

@hookimpl
def inboxd_executors():
    return [One()]
"""


def executor_module(name: str, answer: str) -> str:
    """Return the source of a plugin with one executor whose result is always the same."""
    return _EXECUTOR.format(name=name, answer=answer)


def make_wheel(
    directory: Path,
    name: str,
    version: str,
    modules: Mapping[str, str],
    *,
    plugin: str | None = None,
    title: str | None = None,
    requires: Sequence[str] = (),
) -> Path:
    """
    Write a wheel (packaging.python.org, binary distribution format).

    Args:
        directory: where.
        name: of the distribution, letters and underscores.
        version: of it.
        modules: source by path in the wheel.
        plugin: its one entry point, `name = module`; the module alone where both are the same.
        title: the name as its metadata writes it; None: as *name*.
        requires: what it depends on.
    """
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {title or name}\nVersion: {version}\n"
    files = {
        **modules,
        f"{info}/METADATA": metadata + "".join(f"Requires-Dist: {one}\n" for one in requires),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if plugin is not None:
        point = plugin if "=" in plugin else f"{plugin} = {plugin}"
        files[f"{info}/entry_points.txt"] = f"[inboxd]\n{point}\n"
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in (*files, f"{info}/RECORD"))
    wheel = directory / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return wheel
