"""The options that every verb has, and the form of its help."""

from __future__ import annotations

from dataclasses import dataclass
from functools import update_wrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from inboxd.config.settings import Settings
    from inboxd.instances import Instance

__all__ = ["Verb", "Where", "duration_option", "json_option", "where_options"]

_Function = TypeVar("_Function", bound="Callable[..., Any]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """What `--config` and `--state` said: which instance a verb is about."""

    config: Path | None
    state: Path | None

    def instance(self, *, strict: bool = False) -> Instance:
        """
        Return the instance that is meant, running or not.

        A running daemon is found also when its configuration is broken by now, unless *strict*.

        Raises:
            AmbiguousReference: several run, and nothing says which one.
            ConfigurationError: the configuration cannot be used.
        """
        from inboxd.instances import find_instance  # not needed for --help

        return find_instance(config=self.config, state=self.state, strict=strict)

    def files(self) -> list[Path]:
        """Return the files that `--config`, or else the environment, names, usable or not."""
        import os  # what follows is not needed for --help

        from inboxd.config.files import files_of
        from inboxd.config.load import config_file

        main, _ = config_file(self.config, environ=os.environ, cwd=Path.cwd())
        return files_of(main)[0]

    def settings(self, **overrides: str | None) -> Settings:
        """
        Return the settings without looking for a running instance.

        Args:
            overrides: further flags; `inbox_path="x"` is `[inbox] path`; None: not given.

        Raises:
            ConfigurationError: the configuration cannot be used.
        """
        from inboxd.config.load import load_settings  # not needed for --help

        given = {
            name.replace("_", ".", 1): text for name, text in overrides.items() if text is not None
        }
        if self.state is not None:
            given["state.path"] = str(self.state)
        return load_settings(config=self.config, overrides=given)


class Verb(click.Command):
    """A verb; its help ends with an example, given as `example=`."""

    def __init__(self, *args: Any, example: str = "", **kwargs: Any) -> None:
        """Make the verb; see `click.Command`."""
        super().__init__(*args, **kwargs)
        self.example = example

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the example."""
        super().format_epilog(ctx, formatter)
        if self.example:
            with formatter.section("Example"):
                for line in self.example.strip().splitlines():
                    formatter.write(f"{'':{formatter.current_indent}}{line}\n")


def where_options(function: _Function) -> _Function:
    """Add `--config` and `--state`; the verb gets them as `where: Where`."""

    def with_where(*args: Any, config: Path | None, state: Path | None, **kwargs: Any) -> Any:
        return function(*args, where=Where(config=config, state=state), **kwargs)

    wrapped = update_wrapper(with_where, function)
    wrapped = click.option(
        "--state",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="The state directory of the instance that is meant.",
    )(wrapped)
    wrapped = click.option(
        "--config",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="The configuration of the instance that is meant.",
    )(wrapped)
    return cast("_Function", wrapped)


def json_option(function: _Function) -> _Function:
    """Add `--json`; the verb gets it as `as_json: bool`."""
    option = click.option(
        "--json", "as_json", is_flag=True, help="Print JSON, for programs to read."
    )
    return option(function)


def duration_option(name: str, **kwargs: Any) -> Callable[[_Function], _Function]:
    """Add an option that takes a duration; the verb gets seconds, or None."""
    return click.option(name, callback=_seconds, **kwargs)


def _seconds(context: click.Context, parameter: click.Parameter, value: str | None) -> float | None:
    if value is None:
        return None
    from inboxd.durations import duration_seconds  # not needed for --help

    is_number = value.isascii() and value.replace(".", "", 1).isdigit()
    seconds = duration_seconds(float(value) if is_number else value)
    if seconds is None:
        raise click.BadParameter(
            'a duration is a number of seconds, or text like "90s", "10m", "2h"',
            context,
            parameter,
        )
    return seconds
