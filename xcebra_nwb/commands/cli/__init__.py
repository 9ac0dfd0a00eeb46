"""The command line: every command is a function of its name in one of the modules."""

import os
import sys

from xcebra_nwb.commands.cli.hand_over import ADDRESS, hand_over

__all__ = ["main"]
# Least squares and eigenvectors of numpy and scipy have other last bits with other numbers of threads. OpenBLAS asks
# once, when it is loaded. Torch, which does most of the work, has its own threads, and the same bits with all of them.
BLAS_THREADS = "OPENBLAS_NUM_THREADS"


def main() -> None:
    """Run the command line, or let the warm process of a workflow run it."""
    if ADDRESS in os.environ:
        code = hand_over(sys.argv[1:])
        if code is not None:
            sys.exit(code)
    os.environ[BLAS_THREADS] = "1"
    # Imported here: a command that is handed over does not need it.
    from xcebra_nwb.commands.cli.app import main as run

    run()
