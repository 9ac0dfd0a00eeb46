"""The command line: all commands in the order of the help, and the global options.

Nothing heavy is imported here. Each command imports what it needs when it runs.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import logging
import os
import sys
import traceback
import warnings
from pathlib import Path
from typing import Annotated

import typer

from xcebra_nwb import __version__
from xcebra_nwb.commands.cli import benchmarks, completion, examples, machine, paper, runs, session, sources
from xcebra_nwb.commands.cli.output import OneLineFormatter, StandardError, format_warning, print_text, report_error
from xcebra_nwb.core.errors import Exit

COMMANDS = (
    *(sources.discover, session.fetch, sources.inspect, sources.simulate, session.extract, session.preview),
    *(session.train, session.align, session.attribute, session.assess, session.write, session.check, runs.verify),
    *(
        session.report,
        runs.summarize,
        runs.compare,
        runs.run,
        runs.status,
        runs.watch,
        paper.figure,
        paper.methods,
        runs.publish,
    ),
    *(runs.tune, benchmarks.benchmark, machine.doctor),
)
JOBS = (benchmarks.benchmark_case, benchmarks.benchmark_table)  # called by the workflow of a benchmark
SETTINGS_OF_MATPLOTLIB = "matplotlibrc"
# Figures and netCDF files make thousands of objects that live briefly. With Python's 700, a fifth of the time of a
# report goes into looking for garbage.
OBJECTS_BEFORE_COLLECTION = 10_000
GLOBAL_FLAGS = {"-v", "--verbose", "-q", "--quiet", "--debug"}
app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Attribution maps for NWB recordings: which neurons carry which behaviour, tested against shuffled labels.",
    epilog="Exit codes: 0 done, 1 failed, 2 usage or config, 3 refused (the data cannot answer), 130 interrupted.",
)
for command in COMMANDS:
    app.command(epilog=examples.epilog(command.__name__))(command)
for job in JOBS:
    app.command(hidden=True)(job)


def main() -> None:
    """Run the command line; an error ends it with one line and an exit code.

    The exit codes are those of :class:`xcebra_nwb.core.errors.Exit`.
    """
    gc.set_threshold(OBJECTS_BEFORE_COLLECTION)
    if not completion.asked():  # no plot then, and loading matplotlib takes long
        _ignore_plot_settings()
    arguments = sys.argv[1:]
    end = arguments.index("--") if "--" in arguments else len(arguments)  # names follow
    flags = [a for a in arguments[:end] if a in GLOBAL_FLAGS]  # accepted before and after the command
    rest = [a for a in arguments[:end] if a not in GLOBAL_FLAGS] + arguments[end:]
    try:
        code = int(app(args=flags + rest, prog_name="xcebra-nwb", standalone_mode=False) or 0)
        if code == Exit.INTERRUPTED:
            raise KeyboardInterrupt
        sys.exit(code)
    except Exception as error:
        if "--debug" in flags:
            print_text(traceback.format_exc(), sys.stderr)
        sys.exit(report_error(error))
    except KeyboardInterrupt:
        with contextlib.suppress(OSError):  # the terminal may be gone
            print("xcebra-nwb: interrupted; the same command starts again or resumes", file=sys.stderr)
        sys.exit(Exit.INTERRUPTED)


def _ignore_plot_settings() -> None:
    """Ignore settings of matplotlib in the working folder, which may be another person's.

    Such settings choose programs and modules to run, and matplotlib before 3.11 evaluates them. Matplotlib reads them
    once, on import, so it is imported from another folder.
    """
    if os.path.lexists(SETTINGS_OF_MATPLOTLIB):
        with contextlib.chdir(Path(__file__).parent):
            importlib.import_module("matplotlib")


def _version(value: bool) -> None:
    if value:
        print(f"xcebra-nwb {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log details.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Log only warnings and errors.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    level = logging.WARNING if quiet else logging.DEBUG if verbose or debug else logging.INFO
    handler = StandardError()
    handler.setFormatter(OneLineFormatter("%(message)s"))
    logging.basicConfig(handlers=[handler])
    warnings.formatwarning = format_warning
    logging.getLogger("xcebra_nwb").setLevel(level)
