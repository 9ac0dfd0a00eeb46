"""The benchmarks by name, and their jobs."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from xcebra_nwb.benchmark import ablation, ratinabox, recording, synthetic, violations
from xcebra_nwb.benchmark.case import SIZES, Case
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.path_name import unfit

NO_FILE = Path()
SPEED = "speed"  # no workflow: timed things run by themselves (:mod:`.speed`)


@dataclass(frozen=True)
class Benchmark:
    """What a benchmark is made of.

    Attributes:
        cases: from a size, and the file that the user names, to the jobs.
        panels: the columns of its table that its figure has one panel for each value of.
        needs_file: whether it is about a file that the user names.
    """

    cases: Callable[[str, Path], list[Case]]
    panels: tuple[str, ...] = ("training", "regularizer", "label")
    needs_file: bool = False


BENCHMARKS = {
    "synthetic": Benchmark(lambda size, file: synthetic.cases(size)),
    "ratinabox": Benchmark(lambda size, file: ratinabox.cases(size)),
    "conditions": Benchmark(lambda size, file: violations.cases(size), panels=("label",)),
    "ablation": Benchmark(lambda size, file: ablation.cases(size), panels=("training", "label")),
    "file": Benchmark(recording.cases, panels=("label",), needs_file=True),
}


def benchmark_named(name: str) -> Benchmark:
    """Return a benchmark; raise :class:`UsageError` if there is none of that ``name``."""
    if name not in BENCHMARKS:
        known = [*BENCHMARKS, SPEED]
        near = difflib.get_close_matches(name, known, n=1)
        raise UsageError(
            f"no benchmark {name}", f"did you mean {near[0]}?" if near else f"benchmarks: {', '.join(known)}"
        )
    return BENCHMARKS[name]


def cases(name: str, size: str, file: Path | None = None) -> dict[str, Case]:
    """Return the jobs of the benchmark called ``name`` by their names, in the order of its table.

    Raises:
        UsageError: there is no such benchmark, size or file, or one is asked for and not given.
    """
    found = benchmark_named(name)
    if size not in SIZES:
        raise UsageError(f"no size {size}", f"sizes: {', '.join(SIZES)}")
    if found.needs_file and file is None:
        raise UsageError(f"benchmark {name}: no file", f"xcebra-nwb benchmark {name} PATH")
    if file is not None and not found.needs_file:
        raise UsageError(f"benchmark {name} reads no file", f"leave {file} out")
    if file is not None and (why := unfit(str(file))):
        raise UsageError(f"{file}: {why}")
    return {case.name: case for case in found.cases(size, file or NO_FILE)}
