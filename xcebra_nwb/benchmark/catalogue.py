"""The benchmarks by name, and their jobs."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from xcebra_nwb.benchmark import (
    ablation,
    cells,
    cells_figure,
    dimensions,
    quality,
    quality_figure,
    ratinabox,
    recording,
    synthetic,
    violations,
)
from xcebra_nwb.benchmark.case import HYBRID, SIZES, Case
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.safe_text import path_problem

NO_FILE = Path()
OURS = {"training": HYBRID, "regularizer": 0.1, "method": "inverted_neuron_gradient"}
SPEED = "speed"  # no workflow: timed things run by themselves (:mod:`.speed`)


@dataclass(frozen=True)
class Benchmark:
    """The parts of a benchmark.

    Attributes:
        cases: function from a size, and the file that the user names, to the jobs.
        panels: columns of the table; the figure has a panel for each of their values.
        needs_file: whether the user has to name a file.
        takes_file: whether the user may name a file.
        best: columns that identify the method that all others are compared with.
        compared: scores in which they are compared.
        draw: function from the summary to the figure, if not the usual one.
        compare: function from the scores to the table of comparisons, if not the usual one.
    """

    cases: Callable[[str, Path], list[Case]]
    panels: tuple[str, ...] = ("training", "regularizer", "label")
    needs_file: bool = False
    takes_file: bool = False
    best: Mapping[str, object] = field(default_factory=lambda: OURS)
    compared: tuple[str, ...] = ("row_auroc", "pooled_auroc", "label_auroc")
    draw: Callable[[pd.DataFrame], Figure] | None = None
    compare: Callable[[pd.DataFrame], pd.DataFrame] | None = None


BENCHMARKS = {
    "synthetic": Benchmark(lambda size, file: synthetic.cases(size)),
    "ratinabox": Benchmark(lambda size, file: ratinabox.cases(size)),
    "conditions": Benchmark(lambda size, file: violations.cases(size), panels=("label",)),
    "ablation": Benchmark(lambda size, file: ablation.cases(size), panels=("training", "label")),
    "dimensions": Benchmark(lambda size, file: dimensions.cases(size), panels=("training",), compared=()),
    "cells": Benchmark(cells.cases, needs_file=True, best=cells.BEST, compared=cells.COMPARED, draw=cells_figure.draw),
    "quality": Benchmark(quality.cases, takes_file=True, draw=quality_figure.draw, compare=quality.times_to_quality),
    "file": Benchmark(recording.cases, panels=("label",), needs_file=True, compared=("agreement",)),
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
    if file is not None and not (benchmark.needs_file or benchmark.takes_file):
        raise UsageError(f"benchmark {name} reads no file", f"leave {file} out")
    if file is not None and (why := path_problem(str(file))):
        raise UsageError(f"{file}: {why}")
    return {case.name: case for case in benchmark.cases(size, file or NO_FILE)}
