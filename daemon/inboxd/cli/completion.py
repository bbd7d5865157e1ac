"""`inboxd completion`: what a shell must run to complete verbs and options."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from inboxd.cli.options import Verb, where_options

if TYPE_CHECKING:
    from inboxd.cli.options import Where

__all__ = ["FILES", "command", "script"]

#: The file of each shell in `config/completion/`, which packages install where the shell looks.
FILES = {"bash": "inboxd.bash", "zsh": "_inboxd", "fish": "inboxd.fish"}


@click.command(
    cls=Verb,
    example="""
eval "$(inboxd completion bash)"     in ~/.bashrc
eval "$(inboxd completion zsh)"      in ~/.zshrc, after compinit
inboxd completion fish > ~/.config/fish/completions/inboxd.fish
""",
)
@click.argument("shell", type=click.Choice(list(FILES)))
@where_options
def command(shell: str, where: Where) -> None:
    """
    Print what makes a shell complete verbs and options.

    The shell asks `inboxd` itself what may follow, so that verbs of plugins and the names of trees
    and tasks are completed too; the same for every instance.
    """
    click.echo(script(shell), nl=False)


def script(shell: str) -> str:
    """Return the script of a shell, one of `FILES`."""
    from click.shell_completion import get_completion_class  # not needed for --help

    from inboxd.cli.main import COMPLETE_VARIABLE, cli

    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - click knows each of these
    completer = kind(cli, {}, "inboxd", COMPLETE_VARIABLE)
    # Not `source()`: for bash that starts one to look at its version, and may warn on stdout.
    return (completer.source_template % completer.source_vars()).strip("\n") + "\n"


def main(root: Path) -> None:
    """Write the script of each shell into the checkout *root*."""
    directory = root / "config" / "completion"
    directory.mkdir(parents=True, exist_ok=True)
    for shell, name in FILES.items():
        (directory / name).write_text(script(shell), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path.cwd())
