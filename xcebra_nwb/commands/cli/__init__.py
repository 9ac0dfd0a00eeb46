"""The command line: every command is a function of its name in one of the modules."""

import os
import sys

from xcebra_nwb.commands.cli.hand_over import ADDRESS, hand_over

__all__ = ["main"]
# Least squares and eigenvectors of numpy and scipy have other last bits with other numbers of threads. OpenBLAS asks
# once, when it is loaded. Torch, which does most of the work, has its own threads, and the same bits with all of them.
BLAS_THREADS = "OPENBLAS_NUM_THREADS"
# A thread of torch that waits for another one keeps its core busy, for milliseconds by default. Where other programs
# want the core, the other thread comes later still (docs/benchmarks.md#a-step-on-the-processor).
SPINS, FEW_SPINS = "GOMP_SPINCOUNT", "10000"  # rounds of waiting after which a thread sleeps


def main() -> None:
    """Run the command line, or let the warm process of a workflow run it."""
    if ADDRESS in os.environ:
        code = hand_over(sys.argv[1:])
        if code is not None:
            sys.exit(code)
    os.environ[BLAS_THREADS] = "1"
    os.environ.setdefault(SPINS, FEW_SPINS)
    # Imported here: a command that is handed over does not need it.
    from xcebra_nwb.commands.cli.app import main as run

    run()
