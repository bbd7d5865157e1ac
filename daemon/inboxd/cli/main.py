"""
The command `inboxd`: the verbs, and the one door where errors become exit codes.

Everything that a verb needs is imported inside the verb, so that `inboxd --help` stays quick.
"""

from __future__ import annotations

import gc
import os
import sys

import click

from inboxd.cli.exit_codes import ExitCode
from inboxd.cli.output import problem
from inboxd.cli.streams import OutputFailed, forget_stdout, prepare_streams
from inboxd.cli.verbs import Verbs
from inboxd.errors import InboxdError

__all__ = ["COMPLETE_VARIABLE", "cli", "main", "run_command_line"]

#: Set by the shell when it completes a command line (click's protocol): `bash_source`, …
COMPLETE_VARIABLE = "_INBOXD_COMPLETE"

#: Allocations between two looks for garbage: importing makes ten thousands of objects that stay,
#: and the 100 looks at them of the default are a tenth of what a start costs (measured).
_SELDOM = 50_000

_EXAMPLE = """\
Examples:

\b
  inboxd run                        run the daemon, in the foreground
  inboxd submit --wait tasks.json   drop a task array, wait until it ended
  inboxd list                       what there is, the newest first
"""


@click.group(
    cls=Verbs,
    epilog=_EXAMPLE,
    subcommand_metavar="VERB ...",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
def cli() -> None:
    """Drop a task array in a directory; inboxd runs it."""


def main() -> None:
    """Run the command line and end the process."""
    if instruction := os.environ.get(COMPLETE_VARIABLE):
        from click.shell_completion import shell_complete

        sys.exit(shell_complete(cli, {}, "inboxd", COMPLETE_VARIABLE, instruction))
    gc.set_threshold(_SELDOM)
    prepare_streams()
    code = run_command_line(sys.argv[1:])
    sys.exit(_flushed(code))


def run_command_line(arguments: list[str]) -> int:
    """
    Run one command line and return its exit code.

    A verb returns its exit code, or None for 0; what it raises becomes a sentence on stderr.
    """
    try:
        # Not `cli.main`: it ends with 1, a failed tree's code, when the reader of a pipe has left.
        with cli.make_context("inboxd", arguments) as context:
            result = cli.invoke(context)
    except click.exceptions.Exit as exit_:
        return exit_.exit_code
    except click.UsageError as error:
        error.show()
        return ExitCode.USAGE
    except click.ClickException as error:
        problem(error.format_message())
        return ExitCode.FAILED
    except (click.Abort, KeyboardInterrupt):
        if sys.stderr.isatty():
            click.echo(err=True)  # the terminal has written ^C
        return ExitCode.INTERRUPTED
    except OutputFailed as error:
        problem(str(error))
        forget_stdout()
        return ExitCode.FAILED
    except InboxdError as error:
        problem(str(error))
        return error.exit_code
    except BrokenPipeError:
        forget_stdout()
        return ExitCode.GOOD
    return result if isinstance(result, int) else ExitCode.GOOD


def _flushed(code: int) -> int:
    """Write out what is buffered; that the reader left (`inboxd list | head`) is no error."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        forget_stdout()
    except OutputFailed as error:
        problem(str(error))
        forget_stdout()
        return code or ExitCode.FAILED
    return code
