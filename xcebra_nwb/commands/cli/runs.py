"""Commands that work on several sessions or on finished results."""

from __future__ import annotations

import logging
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from xcebra_nwb.commands.cli import completion
from xcebra_nwb.commands.cli.options import (
    INPUTS,
    RESULTS,
    TABLE,
    VARIABLE,
    AsJson,
    ConfigFile,
    FollowLinks,
    Results,
    Table,
    Threads,
    config_of,
    follow,
    info,
    local_file,
)
from xcebra_nwb.commands.cli.output import json_alone, print_json, print_text
from xcebra_nwb.core.errors import Failure, UsageError
from xcebra_nwb.core.files import read_json
from xcebra_nwb.core.installation import require_package

Browse = Annotated[bool, typer.Option("--open", help="Open the page of the run in a browser.")]
TABLE_WIDTH = 140  # of a comparison; a narrow terminal wraps its lines


class Parts(StrEnum):
    """What the units of a label are divided by."""

    region = "region"
    subject = "subject"
    label = "label"


def summarize(
    results: Results = RESULTS,
    sessions: Table = TABLE,
    score: Annotated[
        bool, typer.Option("--score", help="Score simulated sessions against their true cell types.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write the summary page, the atlas of all sessions, and the status of each."""
    from xcebra_nwb.commands.summarize import summarize as work
    from xcebra_nwb.report.ending import print_overview, session_records

    with json_alone(as_json):
        files = work(results, sessions)
    if logging.getLogger("xcebra_nwb").isEnabledFor(logging.INFO):
        print_overview(results, sessions)
    scores = _scores(results, sessions, show=not as_json) if score else None
    if as_json:
        records = session_records(results, sessions)
        print_json({"files": [str(file) for file in files], "sessions": records, "scores": scores})


def _scores(results: Path, sessions: Path, show: bool) -> dict[str, dict[str, float]]:
    """Return the scores of simulated sessions, and show them as a table."""
    from rich.console import Console

    from xcebra_nwb.commands.score import render, score

    scores = score(results, sessions)
    if show:
        Console().print(render(scores))
    return scores


def run(
    inputs: Annotated[list[str], typer.Argument(help=INPUTS)],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for all files of the run.")],
    config: ConfigFile = None,
    cores: Annotated[
        int | None, typer.Option(min=1, help="CPU cores, all by default; with a profile, for all jobs together.")
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            help="Where the jobs run: slurm, or the name or folder of another profile of Snakemake.",
            autocompletion=completion.profiles,
        ),
    ] = None,
    draft: Annotated[
        bool, typer.Option("--draft", help="Also take the draft of a dandiset, pinned by digest.")
    ] = False,
    follow_links: FollowLinks = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show the run to browsers of this machine; print where.")
    ] = False,
    browse: Browse = False,
    as_json: AsJson = False,
    cache: Annotated[
        str | None,
        typer.Option(envvar=VARIABLE, help="Shared cache of results, taken and kept: a folder, s3:// or gs://."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only print what would be computed, taken from the cache, or left alone.")
    ] = False,
) -> None:
    """Find the sessions and run the whole workflow on them."""
    from xcebra_nwb.commands.profiles import find_profile
    from xcebra_nwb.commands.run import run as work

    place, settings = None if profile is None else find_profile(profile), config_of(config)
    if dry_run:
        from xcebra_nwb.commands.dry_run import planned_steps, said

        with json_alone(as_json):
            steps = planned_steps(inputs, output, settings, draft, follow(follow_links), cache)
        print_json([step.model_dump() for step in steps]) if as_json else print_text("\n".join(said(steps)))
        return
    with json_alone(as_json):
        code = work(inputs, output, settings, cores, draft, follow(follow_links), watch, browse, place, cache)
    if as_json:
        from xcebra_nwb.report.ending import session_records

        print_json({"output": str(output), "sessions": session_records(output, output / "sessions.tsv")})
    raise typer.Exit(code)


def watch(
    output: Annotated[Path, typer.Argument(help="Folder of a run that is at work.")],
    browse: Browse = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of 127.0.0.1; 0 for a free one.")] = 0,
) -> None:
    """Show a run in a browser of this machine until it ends: its progress, errors and pages."""
    from xcebra_nwb.commands.watch import watch as work

    work(output, port, browse)


def status(
    output: Annotated[Path, typer.Argument(help="Folder of a run.")],
    as_json: AsJson = False,
) -> None:
    """Say which results of a run are there, missing, damaged or out of date, and why.

    It changes nothing.
    """
    from xcebra_nwb.commands.status import counted, taken_from_caches
    from xcebra_nwb.commands.status import status as work

    with json_alone(as_json):
        states = work(output)
    if as_json:
        print_json([state.model_dump() for state in states])
        return
    for state in states:
        if state.state != "current":
            where = f"{state.session}: {state.command}" if state.session else state.command
            print_text(f"{where}: {state.state}{f': {state.why}' if state.why else ''}")
    print_text(f"sessions: {counted(states)}")
    if taken := taken_from_caches(states):
        print_text(taken)


def compare(
    outputs: Annotated[list[Path], typer.Argument(help="Folders of runs; each has an atlas.parquet.")],
    by: Annotated[Parts, typer.Option(help="What the units of a label are divided by.")] = Parts.region,
    label: Annotated[
        list[str] | None,
        typer.Option(help="Compare this label only; repeat the option.", autocompletion=completion.labels),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write the table: .csv, or .json with everything.")
    ] = None,
    figure: Annotated[Path | None, typer.Option(help="Draw the forest plot: .pdf, .svg or .png.")] = None,
    as_json: AsJson = False,
    apart: Annotated[
        bool, typer.Option("--apart", help="Subjects of one name in two folders are different subjects.")
    ] = False,
) -> None:
    """Compare labels over sessions: the share of units that carry them, effect sizes, and whether they come back.

    The numbers are those of the summary page. What may be compared, and what not, is printed below them.
    """
    from rich.console import Console

    from xcebra_nwb.commands import compare as command
    from xcebra_nwb.report.figures.forest import check_suffix, save_forest

    if figure is not None:
        check_suffix(figure)  # before the table is written
    compared = command.compare(outputs, by.value, label or [], apart)
    if output is not None:
        command.save(compared, output)
        info("wrote %s", output)
    if figure is not None:
        left_out = save_forest(compared, figure)
        info("wrote %s%s", figure, f"; {left_out} lines have no room in it" if left_out else "")
    if as_json:
        print_json(command.as_json(compared))
        return
    console = Console(width=max(Console().width, TABLE_WIDTH))
    for table in command.tables(compared):
        console.print(table)
    for heading, lines in (("May be compared", command.MAY), ("May not be compared", command.MAY_NOT)):
        print_text("\n".join([f"{heading}:", *(f"- {line}" for line in lines)]))


def publish(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the dandiset.")],
    contact: Annotated[str, typer.Option(help='Contact person of the dandiset: "Family, Given <address>".')],
    results: Results = RESULTS,
    sessions: Table = TABLE,
    name: Annotated[str, typer.Option(help="Name of the dandiset.")] = "xCEBRA attribution maps",
    license: Annotated[
        str | None,
        typer.Option(
            help="spdx:CC0-1.0 or spdx:CC-BY-4.0; by default the licence of the sources.",
            autocompletion=completion.words(*completion.LICENSES),
        ),
    ] = None,
    upload: Annotated[bool, typer.Option("--upload", help="Also upload the dandiset to an archive.")] = False,
    dandiset: Annotated[str | None, typer.Option(help="Identifier of the dandiset on the archive.")] = None,
    instance: Annotated[
        str,
        typer.Option(help="Name or address of the archive.", autocompletion=completion.words(*completion.INSTANCES)),
    ] = "dandi-sandbox",
    public: Annotated[
        bool,
        typer.Option("--make-embargoed-data-public", help="Upload results of embargoed data into an open dandiset."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Prepare a dandiset of the results, and upload it with --upload.

    It goes to the draft of --dandiset, in the sandbox unless --instance names another archive.
    """
    require_package("dandi", "publish")
    from xcebra_nwb.archive.publication import UNNAMED
    from xcebra_nwb.commands.publish import publish as work

    if upload and dandiset is None:
        raise UsageError("--upload needs a dandiset", "make one on the archive's site and give its --dandiset ID")
    with json_alone(as_json):
        prepared = work(results, sessions, output, contact, name, license, dandiset or UNNAMED)
    for session, reason in prepared.left_out.items():
        info("left out: %s: %s", session, reason)
    info("%d files in %s, which dandi validate finds no error in", len(prepared.files), output)
    uploaded: dict[str, list[str]] = {}
    if upload and dandiset is not None:
        from xcebra_nwb.archive.upload import upload as send

        with json_alone(as_json):
            uploaded = send(output, prepared.files, dandiset, instance, prepared.origins, public)
        for action, paths in uploaded.items():
            info("%s: %d", action, len(paths))
    if as_json:
        files = [str(file) for file in prepared.files]
        print_json({"folder": str(output), "files": files, "left_out": prepared.left_out, "uploaded": uploaded})


def tune(
    directories: Annotated[list[Path], typer.Argument(help="Results folders of sessions after `extract`.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the study and its page.")],
    config: ConfigFile = None,
    trials: Annotated[int, typer.Option(min=1, help="Number of settings to try; the whole grid has 30.")] = 30,
    threads: Threads = 1,
    as_json: AsJson = False,
) -> None:
    """Choose the number of latents and the weight of the regulariser.

    The choice is made by held-out loss, leak and consistency.
    """
    require_package("optuna", "tune")
    from xcebra_nwb.commands.tune import tune as work

    with json_alone(as_json):
        files = work(directories, config_of(config), trials, output, threads)
    for file in files:
        info("wrote %s", file)
    if as_json:
        print_json(read_json(files[0]))


def verify(
    result: Annotated[str, typer.Argument(help="An exported file *_desc-xcebra.nwb.")],
    source: Annotated[str | None, typer.Option(help="The recording, if it was a local file.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Keep the new results in this folder.")] = None,
    archive: Annotated[str | None, typer.Option(help="Also trust this archive: http(s)://its.host.")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Only print what would be done.")] = False,
    threads: Threads = 1,
    as_json: AsJson = False,
) -> None:
    """Compute the maps of an exported result again from its source, and compare them."""
    from xcebra_nwb.commands import verify as command

    task = command.planned(local_file(result), None if source is None else local_file(source), output, archive)
    if not as_json:
        print_text(task)
    elif plan:
        print_json(task.as_json())
    if plan:
        return
    with json_alone(as_json):
        agreements, changed = command.verify(task, threads)
    if as_json:
        print_json(command.as_json(task, agreements, changed))
    else:
        print_text("\n".join([*(f"changed since: {line}" for line in changed), *map(str, agreements)]))
    wrong = [agreement for agreement in agreements if not agreement.agrees]
    if wrong:
        raise Failure(f"{result}: {len(wrong)} of {len(agreements)} maps differ from the result", "see the lines above")
    if not as_json:
        print_text(f"verified: {len(agreements)} maps agree with the result")
