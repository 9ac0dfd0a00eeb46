"""Commands that benchmark the method."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xcebra_nwb.commands.cli import completion
from xcebra_nwb.commands.cli.options import RESULTS, AsJson, Cores, Threads, info, local_file
from xcebra_nwb.commands.cli.output import json_alone, print_json, print_text
from xcebra_nwb.core.errors import Exit, UsageError
from xcebra_nwb.core.installation import require_package


def benchmark(
    name: Annotated[
        str,
        typer.Argument(
            help=f"{', '.join(completion.BENCHMARKS[:-1])} or {completion.BENCHMARKS[-1]}",
            autocompletion=completion.words(*completion.BENCHMARKS),
        ),
    ],
    file: Annotated[str | None, typer.Argument(help="NWB file of `file`; NWB file or folder of `cells`.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for all files of the benchmark.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A tiny version that only checks that it runs.")] = False,
    full: Annotated[bool, typer.Option("--full", help="The schedule of the paper, for a graphics card.")] = False,
    cores: Cores = 1,
    device: Annotated[
        str,
        typer.Option(
            help="Device of the benchmark `speed`: cpu or cuda.", autocompletion=completion.words("cpu", "cuda")
        ),
    ] = "cpu",
    as_json: AsJson = False,
) -> None:
    """Benchmark the method on simulated data, or its consistency on a file."""
    require_package("ratinabox", "benchmark")
    from xcebra_nwb.commands import benchmark as command

    if quick and full:
        raise UsageError("--quick and --full exclude each other", "without either, the benchmark takes about an hour")
    size = "quick" if quick else "full" if full else "reduced"
    folder = RESULTS / "benchmarks" / f"{name}-{size}" if output is None else output
    with json_alone(as_json):
        code = command.benchmark(name, size, folder, cores, None if file is None else local_file(file), device)
    if code == Exit.DONE and as_json:
        print_json(command.as_json(name, size, folder))
    elif code == Exit.DONE:
        print_text((folder / "table.md").read_text(encoding="utf-8").removesuffix("\n"))
        info("figure: %s", folder / "figure.png")
    raise typer.Exit(code)


def benchmark_case(
    name: Annotated[str, typer.Argument(help="Name of the benchmark.")],
    job: Annotated[str, typer.Argument(help="Name of the job.")],
    scores: Annotated[Path, typer.Option(help="CSV file to write.")],
    size: Annotated[str, typer.Option(help="quick, reduced or full")] = "reduced",
    file: Annotated[Path | None, typer.Option(help="NWB file of the benchmark `file`.")] = None,
    threads: Threads = 1,
) -> None:
    """Run one job of a benchmark."""
    from xcebra_nwb.commands.benchmark_case import benchmark_case as work

    info("wrote %s", work(name, job, size, scores, threads, file))


def benchmark_table(
    name: Annotated[str, typer.Argument(help="Name of the benchmark.")],
    files: Annotated[list[Path], typer.Argument(help="CSV files of the jobs.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the tables and the figure.")],
) -> None:
    """Write the tables and the figure of a benchmark whose jobs are done."""
    from xcebra_nwb.commands.benchmark_table import benchmark_table as work

    for file in work(name, files, output):
        info("wrote %s", file)
