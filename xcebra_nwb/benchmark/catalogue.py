"""The benchmarks by name, and their jobs."""

from __future__ import annotations

import difflib
from collections.abc import Callable

from xcebra_nwb.benchmark import ratinabox, synthetic
from xcebra_nwb.benchmark.budget import SIZES
from xcebra_nwb.benchmark.case import Case
from xcebra_nwb.errors import UsageError

BENCHMARKS: dict[str, Callable[[str], list[Case]]] = {
    "synthetic": synthetic.cases,
    "ratinabox": ratinabox.cases,
}


def cases(name: str, size: str) -> dict[str, Case]:
    """Return the jobs of the benchmark called ``name`` by their names, in the order of its table.

    Raises:
        UsageError: there is no such benchmark or size.
    """
    if name not in BENCHMARKS:
        near = difflib.get_close_matches(name, BENCHMARKS, n=1)
        raise UsageError(
            f"no benchmark {name}", f"did you mean {near[0]}?" if near else f"benchmarks: {', '.join(BENCHMARKS)}"
        )
    if size not in SIZES:
        raise UsageError(f"no size {size}", f"sizes: {', '.join(SIZES)}")
    return {case.name: case for case in BENCHMARKS[name](size)}
