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
    """The parts of a benchmark.

    Attributes:
        cases: function from a size, and the file that the user names, to the jobs.
        panels: columns of the table; the figure has a panel for each of their values.
        needs_file: whether the user has to name a file.
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
    """Return the benchmark called ``name``.

    Raises:
        UsageError: there is no such benchmark.
    """
    if name not in BENCHMARKS:
        known = [*BENCHMARKS, SPEED]
        near = difflib.get_close_matches(name, known, n=1)
        raise UsageError(
            f"no benchmark {name}", f"did you mean {near[0]}?" if near else f"benchmarks: {', '.join(known)}"
        )
    return BENCHMARKS[name]


def cases(name: str, size: str, file: Path | None = None) -> dict[str, Case]:
    """Return the jobs of a benchmark by name, in the order of its table.

    Args:
        name: of the benchmark.
        size: quick, reduced or full.
        file: the file that the benchmark is about, if it is about one.

    Raises:
        UsageError: there is no such benchmark, size or file; or a file is missing, or not wanted.
    """
    benchmark = benchmark_named(name)
    if size not in SIZES:
        raise UsageError(f"no size {size}", f"sizes: {', '.join(SIZES)}")
    if benchmark.needs_file and file is None:
        raise UsageError(f"benchmark {name}: no file", f"xcebra-nwb benchmark {name} PATH")
    if file is not None and not benchmark.needs_file:
        raise UsageError(f"benchmark {name} reads no file", f"leave {file} out")
    if file is not None and (why := unfit(str(file))):
        raise UsageError(f"{file}: {why}")
    return {case.name: case for case in benchmark.cases(size, file or NO_FILE)}
