"""The command line: every verb, and how it ends.

Nothing heavy is imported here; each verb imports what it needs when it runs.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from xcebra_nwb import __version__
from xcebra_nwb.errors import Exit, Refusal, UsageError, XcebraError
from xcebra_nwb.files import NO_ROOM

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Which neurons carry the population's code of which behaviour, and how sure are we: attribution maps for NWB.",
    epilog="Exit codes: 0 done, 1 failed, 2 usage or config, 3 refused (the data cannot answer).",
)

Source = Annotated[Path, typer.Argument(help="NWB file of the session, or its source.json; it is never changed.")]
INPUTS = (
    "NWB files, folders of them, dandisets (DANDI:000207/0.220216.0323), addresses of any DANDI archive, asset ids."
)
Directory = Annotated[Path, typer.Argument(help="Results folder of the session; its name is the session's.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", "-c", help="YAML file; without one, every default.")]
Threads = Annotated[int, typer.Option(min=1, help="CPU threads.")]
Batch = Annotated[bool, typer.Option("--batch", help="A refusal is noted in the receipt and is no error (workflow).")]
INTERRUPTED = 130
GLOBAL_FLAGS = {"-v", "--verbose", "-q", "--quiet", "--debug"}


def main() -> None:
    """Run the command line; end with one line, and an exit code of :class:`xcebra_nwb.errors.Exit`."""
    arguments = sys.argv[1:]
    flags = [a for a in arguments if a in GLOBAL_FLAGS]  # accepted before and after the verb
    rest = [a for a in arguments if a not in GLOBAL_FLAGS]
    try:
        code = int(app(args=flags + rest, prog_name="xcebra-nwb", standalone_mode=False) or 0)
        if code == INTERRUPTED:
            raise KeyboardInterrupt
        sys.exit(code)
    except Exception as error:
        if "--debug" in flags:
            traceback.print_exc()
        sys.exit(_say(error))
    except KeyboardInterrupt:
        print("xcebra-nwb: interrupted; the same command begins or goes on again", file=sys.stderr)
        sys.exit(INTERRUPTED)


def _say(error: Exception) -> int:
    """Print one line on an error and return its exit code."""
    if isinstance(error, XcebraError):
        word = {Exit.REFUSED: "refused", Exit.USAGE: "error", Exit.FAILED: "failed"}.get(error.exit_code, "failed")
        code = f" [{error.code}]" if isinstance(error, Refusal) else ""
        print(f"xcebra-nwb: {word}: {error}{code}", file=sys.stderr)
        return int(error.exit_code)
    explain = getattr(error, "format_message", None)  # the parser's own errors; where typer keeps them is its secret
    if explain is not None:
        print(f"xcebra-nwb: error: {explain()} (see xcebra-nwb --help)", file=sys.stderr)
        return int(Exit.USAGE)
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # the latter is torch's
        hint = "fewer units by neural.where, a larger time.bin_width, or a machine with more memory"
        print(f"xcebra-nwb: failed: out of memory: {text} ({hint})", file=sys.stderr)
        return int(Exit.FAILED)
    if isinstance(error, OSError) and error.errno in NO_ROOM:
        where = f"{error.filename}: " if error.filename else ""
        print(f"xcebra-nwb: failed: {where}{error.strerror} (make room there, and run it again)", file=sys.stderr)
        return int(Exit.FAILED)
    hint = "--debug shows where; please report it"
    print(f"xcebra-nwb: failed: unexpected {type(error).__name__}: {text} ({hint})", file=sys.stderr)
    return int(Exit.FAILED)


def _version(value: bool) -> None:
    if value:
        print(f"xcebra-nwb {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say only what went wrong.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show it.")] = False,
) -> None:
    level = logging.WARNING if quiet else logging.DEBUG if verbose or debug else logging.INFO
    logging.basicConfig(format="%(message)s")
    logging.getLogger("xcebra_nwb").setLevel(level)


@app.command()
def discover(
    inputs: Annotated[list[str] | None, typer.Argument(help=INPUTS)] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="The table to write.")] = Path("config/sessions.tsv"),
    species: Annotated[str, typer.Option(help="Take assets of this species only (part of its name).")] = "",
    region: Annotated[str, typer.Option(help="Take assets of this brain region only (part of its name).")] = "",
    variable: Annotated[list[str] | None, typer.Option(help="Take assets with this NWB type only.")] = None,
    max_size: Annotated[float | None, typer.Option(min=0, help="Take assets of at most so many GB.")] = None,
    draft: Annotated[bool, typer.Option("--draft", help="Take a draft too, pinned by digest.")] = False,
    update: Annotated[bool, typer.Option("--update", help="Show what changed since, and pin it anew.")] = False,
) -> None:
    """List the sessions that a run is made of in a table to review."""
    from xcebra_nwb.archive.remote import Screen
    from xcebra_nwb.verbs import discover as verb

    if update:
        for kind, rows in verb.update(output, draft).items():
            for row in rows:
                print(f"{kind}\t{row.session}\t{row.path}\t{row.version}")
        return
    size = None if max_size is None else int(max_size * 1e9)
    for row in verb.discover(inputs or [], output, screen=Screen(species, region, tuple(variable or ()), size, draft)):
        _info("%s: %s", row.session, row.reason or row.found)
    _info("wrote %s", output)


@app.command()
def fetch(
    directory: Directory,
    sessions: Annotated[Path, typer.Option(help="Table of the sessions.")] = Path("config/sessions.tsv"),
    stream: Annotated[bool, typer.Option("--stream", help="Do not download: read what is needed when it is.")] = False,
    batch: Batch = False,
) -> None:
    """Bring the asset of a session into the cache, or see that it can be streamed: source.json."""
    from xcebra_nwb.receipt import carry_out

    def work() -> list[Path]:
        from xcebra_nwb.verbs.fetch import fetch

        return fetch(sessions, directory, "stream" if stream else "download")

    carry_out("fetch", directory, work, batch=batch)


@app.command()
def inspect(
    file: Annotated[Path, typer.Argument(help="An NWB file.")],
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    config: Annotated[bool, typer.Option("--config", help="Only a config to start from, in YAML.")] = False,
) -> None:
    """Print what a file holds, what would be extracted from it, and what is wrong with it."""
    from xcebra_nwb.verbs.inspect import config_of, render
    from xcebra_nwb.verbs.inspect import inspect as work

    inventory = work(file)
    if config:
        print(config_of(inventory), end="")
    elif json:
        print(inventory.model_dump_json(indent=2))
    else:
        print(render(inventory), end="")


@app.command()
def simulate(
    file: Annotated[Path, typer.Argument(help="sub-<subject>_ses-<session>.nwb")],
    seed: Annotated[int, typer.Option(min=0, help="Other seed, other cells and another walk.")] = 0,
    duration: Annotated[float, typer.Option(help="s")] = 600.0,
    cells: Annotated[int, typer.Option(help="Units of each of the four types.")] = 20,
    rates: Annotated[float, typer.Option(help="Factor on every unit's rate.")] = 1.0,
    mixed: Annotated[bool, typer.Option("--mixed", help="Three types, each tuned to two of the labels.")] = False,
) -> None:
    """Write a recording whose true tuning is known: place, grid, head-direction and speed cells."""
    from xcebra_nwb.verbs.simulate import simulate as work

    _info("wrote %s", work(file, seed, duration, cells, rates, mixed))


@app.command()
def extract(
    source: Source,
    directory: Directory,
    config: ConfigFile = None,
    batch: Batch = False,
) -> None:
    """Bring neural activity and behaviour to one bin grid: session.nc."""
    from xcebra_nwb.receipt import carry_out

    def work() -> list[Path]:
        from xcebra_nwb.verbs.extract import extract

        return extract(source, directory, settings, session)

    settings, session = _config(config), directory.resolve().name
    carry_out("extract", directory, work, batch=batch)


@app.command()
def train(
    directories: Annotated[
        list[Path], typer.Argument(help="Results folder of the session; or of several, side by side.")
    ],
    config: ConfigFile = None,
    together: Annotated[bool, typer.Option("--together", help="One space of latents for all sessions named.")] = False,
    threads: Threads = 1,
    batch: Batch = False,
) -> None:
    """Train the encoders, seeds and nulls as one stack: model.safetensors, training.nc, embedding.nc."""
    from xcebra_nwb.receipt import Outcome, carry_out, carry_out_together

    def work() -> list[Path]:
        from xcebra_nwb.verbs.train import train

        return train(directories[0], settings, threads)

    def work_apart(left: Sequence[Path]) -> Mapping[Path, Outcome]:
        from xcebra_nwb.verbs.train import train_each

        return train_each(left, settings, threads)

    def current(directory: Path) -> list[Path]:
        from xcebra_nwb.verbs.train import current

        return current(directory, settings)

    def work_together(left: Sequence[Path]) -> Mapping[Path, Outcome]:
        from xcebra_nwb.verbs.train_together import train_together

        return train_together(left, settings, threads, strict=not batch)

    settings = _config(config)
    if together or settings.training.together:
        carry_out_together("train", directories, work_together, batch=batch)
    elif len(directories) > 1:
        carry_out_together("train", directories, work_apart, batch=batch, apart=True, current=current)
    else:
        carry_out("train", directories[0], work, batch=batch)


@app.command()
def align(
    directory: Directory,
    to: Annotated[list[Path], typer.Option("--to", help="Results folder of a trained session; again for another.")],
    threads: Threads = 1,
) -> None:
    """Train the encoders of a left-out session in the space of others, which stays as it is: the files of train."""
    from xcebra_nwb.receipt import carry_out

    def work() -> list[Path]:
        from xcebra_nwb.verbs.align import align

        return align(directory, to, threads)

    carry_out("train", directory, work)


@app.command()
def attribute(directory: Directory, config: ConfigFile = None, threads: Threads = 1, batch: Batch = False) -> None:
    """Compute the attribution maps and test them against the nulls: attribution.nc."""
    from xcebra_nwb.receipt import carry_out

    def work() -> list[Path]:
        from xcebra_nwb.verbs.attribute import attribute

        return attribute(directory, settings, threads)

    settings = _config(config)
    carry_out("attribute", directory, work, batch=batch)


@app.command()
def assess(directory: Directory, batch: Batch = False) -> None:
    """Judge every label: decoding, consistency, leak, and a verdict in words: assessment.json."""
    from xcebra_nwb.receipt import carry_out

    def work() -> list[Path]:
        from xcebra_nwb.verbs.assess import assess

        return assess(directory)

    carry_out("assess", directory, work, batch=batch)


@app.command()
def write(source: Source, directory: Directory, batch: Batch = False) -> None:
    """Write the results into a slim, self-contained NWB file."""
    from xcebra_nwb.receipt import carry_out

    def work() -> list[Path]:
        from xcebra_nwb.verbs.write import write

        return write(source, directory, directory.resolve().name)

    carry_out("write", directory, work, batch=batch)


@app.command()
def check(source: Source, directory: Directory, batch: Batch = False) -> None:
    """Validate and inspect the results file; fail on findings that the source did not have."""
    from xcebra_nwb.receipt import carry_out

    def work() -> list[Path]:
        from xcebra_nwb.verbs.check import check

        return check(source, directory, directory.resolve().name)

    carry_out("check", directory, work, batch=batch)


@app.command()
def verify(
    result: Annotated[Path, typer.Argument(help="A file *_desc-xcebra.nwb that this package wrote.")],
    source: Annotated[Path | None, typer.Option(help="The recording, where it was a local file.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Keep what is made in this folder.")] = None,
    threads: Threads = 1,
) -> None:
    """Fetch the source that a result names, make its maps again, and say how closely they agree."""
    from xcebra_nwb.errors import Failure
    from xcebra_nwb.verbs.verify import verify as work

    agreements, changed = work(result, source, output, threads)
    for line in changed:
        print(f"not as it was: {line}")
    for one in agreements:
        print(one)
    wrong = [one for one in agreements if not one.agrees]
    if wrong:
        raise Failure(f"{result}: {len(wrong)} of {len(agreements)} maps do not come out again", "see the lines above")
    print(f"verified: {len(agreements)} maps come out again")


@app.command()
def report(directory: Directory, batch: Batch = False) -> None:
    """Make the session's page: report.html."""
    from xcebra_nwb.receipt import carry_out

    def work() -> list[Path]:
        from xcebra_nwb.verbs.report import report

        return report(directory)

    carry_out("report", directory, work, batch=batch)


@app.command()
def summarize(
    results: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("results"),
    sessions: Annotated[Path, typer.Option(help="Table of the sessions.")] = Path("config/sessions.tsv"),
    score: Annotated[bool, typer.Option("--score", help="Score simulated sessions against their true cells.")] = False,
) -> None:
    """Make the page and the atlas over all sessions, and every session's status.json."""
    from xcebra_nwb.report.overview import say
    from xcebra_nwb.verbs.summarize import summarize as work

    files = work(results, sessions)
    if logging.getLogger("xcebra_nwb").isEnabledFor(logging.INFO):
        say(results, sessions)
    if score:
        from rich.console import Console

        from xcebra_nwb.verbs.score import render
        from xcebra_nwb.verbs.score import score as score_sessions

        Console().print(render(score_sessions(results, sessions)))
    _info("wrote %s", next(f for f in files if f.suffix == ".html"))


@app.command()
def run(
    inputs: Annotated[list[str], typer.Argument(help=INPUTS)],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of everything that the run makes.")],
    config: ConfigFile = None,
    cores: Annotated[int, typer.Option(min=1, help="CPU cores.")] = 1,
    draft: Annotated[bool, typer.Option("--draft", help="Take a draft of a dandiset too, pinned by digest.")] = False,
) -> None:
    """Discover the sessions and run the whole workflow on them."""
    from xcebra_nwb.verbs.run import run as work

    raise typer.Exit(work(inputs, output, _config(config), cores, draft))


@app.command()
def publish(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the dandiset.")],
    contact: Annotated[str, typer.Option(help='Who answers for it: "Family, Given <address>".')],
    results: Annotated[Path, typer.Option(help="Folder of the results.")] = Path("results"),
    sessions: Annotated[Path, typer.Option(help="Table of the sessions.")] = Path("config/sessions.tsv"),
    name: Annotated[str, typer.Option(help="Name of the dandiset.")] = "xCEBRA attribution maps",
    license: Annotated[str | None, typer.Option(help="spdx:CC0-1.0 or spdx:CC-BY-4.0; else the sources' own.")] = None,
    upload: Annotated[bool, typer.Option("--upload", help="Send it to an archive, too.")] = False,
    dandiset: Annotated[str | None, typer.Option(help="Identifier of the dandiset to send it to.")] = None,
    instance: Annotated[str, typer.Option(help="Name or address of the archive.")] = "dandi-sandbox",
) -> None:
    """Prepare a dandiset of the results; with --upload, send it to the draft of --dandiset (in the sandbox)."""
    from xcebra_nwb.archive.publication import UNNAMED
    from xcebra_nwb.verbs.publish import publish as work

    if upload and dandiset is None:
        raise UsageError("--upload needs a dandiset", "make one on the archive's site and give its --dandiset ID")
    made = work(results, sessions, output, contact, name, license, dandiset or UNNAMED)
    for session, reason in made.left_out.items():
        _info("left out: %s: %s", session, reason)
    _info("%d files in %s, which dandi validate finds no error in", len(made.files), output)
    if upload and dandiset is not None:
        from xcebra_nwb.archive.upload import upload as send

        for what, paths in send(output, made.files, dandiset, instance).items():
            _info("%s: %d", what, len(paths))


@app.command()
def tune(
    directories: Annotated[list[Path], typer.Argument(help="Results folders of sessions after `extract`.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the study and its page.")],
    config: ConfigFile = None,
    trials: Annotated[int, typer.Option(min=1, help="Settings to try; the whole grid has 30.")] = 30,
    threads: Threads = 1,
) -> None:
    """Choose the number of latents and the regulariser's weight without looking at the answer."""
    from xcebra_nwb.verbs.tune import tune as work

    for file in work(directories, _config(config), trials, output, threads):
        _info("wrote %s", file)


@app.command()
def benchmark(
    name: Annotated[str, typer.Argument(help="synthetic, ratinabox, conditions, ablation, speed or file")],
    file: Annotated[Path | None, typer.Argument(help="For `file`: an NWB file of your own.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder of everything that it makes.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A small form, in seconds: does it run?")] = False,
    full: Annotated[bool, typer.Option("--full", help="The paper's schedule, for a graphics card.")] = False,
    cores: Annotated[int, typer.Option(min=1, help="CPU cores.")] = 1,
    device: Annotated[str, typer.Option(help="For `speed`: cpu, or cuda.")] = "cpu",
) -> None:
    """Measure the method: against simulated truth, or its agreement with itself on a file; a table and a figure."""
    from xcebra_nwb.verbs.benchmark import benchmark as work

    if quick and full:
        raise UsageError("--quick and --full", "one of them; without either, a form that takes about an hour")
    size = "quick" if quick else "full" if full else "reduced"
    folder = Path("results") / "benchmarks" / f"{name}-{size}" if output is None else output
    code = work(name, size, folder, cores, file, device)
    if code == Exit.DONE:
        print((folder / "table.md").read_text(encoding="utf-8"), end="")
        _info("figure: %s", folder / "figure.png")
    raise typer.Exit(code)


@app.command(hidden=True)
def benchmark_case(
    name: Annotated[str, typer.Argument(help="The benchmark.")],
    job: Annotated[str, typer.Argument(help="One of its jobs.")],
    scores: Annotated[Path, typer.Option(help="The CSV file to write.")],
    size: Annotated[str, typer.Option(help="quick, reduced or full")] = "reduced",
    file: Annotated[Path | None, typer.Option(help="What the benchmark is about, if it is about a file.")] = None,
    threads: Threads = 1,
) -> None:
    """Do one job of a benchmark."""
    from xcebra_nwb.verbs.benchmark_case import benchmark_case as work

    _info("wrote %s", work(name, job, size, scores, threads, file))


@app.command(hidden=True)
def benchmark_table(
    name: Annotated[str, typer.Argument(help="The benchmark.")],
    files: Annotated[list[Path], typer.Argument(help="The scores of its jobs.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the tables and the figure.")],
) -> None:
    """Make the tables and the figure of a benchmark whose jobs are done."""
    from xcebra_nwb.verbs.benchmark_table import benchmark_table as work

    for file in work(name, files, output):
        _info("wrote %s", file)


def _config(path: Path | None):  # type: ignore[no-untyped-def]  # naming the type would import pydantic
    """The config of a file, or every default."""
    from xcebra_nwb import config

    return config.validate({}) if path is None else config.load(path)


def _info(message: str, *values: object) -> None:
    logging.getLogger("xcebra_nwb").info(message, *values)


if __name__ == "__main__":
    main()
