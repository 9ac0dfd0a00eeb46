"""The command line: every command is a function of its name in one of the modules."""

import os
import sys

from xcebra_nwb.commands.cli.hand_over import ADDRESS, hand_over

__all__ = ["main"]


def main() -> None:
    """Run the command line, or let the warm process of a workflow run it."""
    if ADDRESS in os.environ:
        code = hand_over(sys.argv[1:])
        if code is not None:
            sys.exit(code)
    # Imported here: a command that is handed over does not need it.
    from xcebra_nwb.commands.cli.app import main as run

    run()
