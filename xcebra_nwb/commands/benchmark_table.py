"""benchmark_table: write the tables and the figure of a benchmark from the scores of its jobs."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pandas as pd
from rich.console import Console

from xcebra_nwb.benchmark.catalogue import benchmark_named
from xcebra_nwb.benchmark.figure import draw, save_figure
from xcebra_nwb.benchmark.table import read_scores, render, rivals, summary
from xcebra_nwb.core.files import atomic, write_text

WIDE = 400  # columns of a terminal: a line of a Markdown table is never broken


def benchmark_table(name: str, files: Sequence[Path], output: Path) -> list[Path]:
    """Write the tables and the figure of a benchmark and return their paths.

    They are scores.csv, table.csv, table.md, rivals.csv and figure.png.

    Args:
        name: Name of the benchmark.
        files: CSV files with the scores of its jobs.
        output: Folder of the tables and the figure.
    """
    benchmark, scores = benchmark_named(name), read_scores(files)
    table = summary(scores)
    compare = benchmark.compare or partial(rivals, best=benchmark.best, metrics=benchmark.compared)
    tables = {"scores.csv": scores, "table.csv": table, "rivals.csv": compare(scores)}
    for file, content in tables.items():
        _write_csv(content, output / file)
    write_text(output / "table.md", markdown(table, f"Benchmark {name}"))
    save_figure(partial(benchmark.draw or partial(draw, panels=benchmark.panels), table), output / "figure.png")
    return [output / file for file in (*tables, "table.md", "figure.png")]


def markdown(table: pd.DataFrame, title: str) -> str:
    """Return a table of scores as Markdown text.

    Args:
        table: The scores, as :func:`xcebra_nwb.benchmark.table.summary` returns them.
        title: Heading above the table.
    """
    text = io.StringIO()
    Console(file=text, width=WIDE).print(render(table))
    lines = [line.strip() for line in text.getvalue().splitlines() if line.strip()]
    return "\n".join([f"## {title}", "", *lines]) + "\n"


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    with atomic(path) as temporary:
        table.to_csv(temporary, index=False, na_rep="nan")
