"""Commands that find, inspect or simulate recordings."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from xcebra_nwb.commands.cli.options import INPUTS, RECORDING, TABLE, AsJson, FollowLinks, follow, info, source_of
from xcebra_nwb.commands.cli.output import json_alone, print_json, print_text
from xcebra_nwb.core.files import json_text
from xcebra_nwb.core.installation import require_package
from xcebra_nwb.core.safe_text import printable

if TYPE_CHECKING:
    from xcebra_nwb.nwb.reading.foreign import Follow


def discover(
    inputs: Annotated[list[str] | None, typer.Argument(help=INPUTS)] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Table of sessions to write.")] = TABLE,
    species: Annotated[str, typer.Option(help="Take assets of this species only (part of its name).")] = "",
    region: Annotated[str, typer.Option(help="Take assets of this brain region only (part of its name).")] = "",
    variable: Annotated[list[str] | None, typer.Option(help="Take assets with this NWB type only.")] = None,
    max_size: Annotated[float | None, typer.Option(min=0, help="Take assets of at most this size, GB.")] = None,
    draft: Annotated[bool, typer.Option("--draft", help="Also take drafts, pinned by digest.")] = False,
    update: Annotated[
        bool,
        typer.Option("--update", help="Pin the assets of the table to their newest version and print the changes."),
    ] = False,
    follow_links: FollowLinks = False,
    as_json: AsJson = False,
) -> None:
    """Find recordings and write the table of sessions, to be reviewed before a run."""
    from xcebra_nwb.archive.remote import Screen
    from xcebra_nwb.commands import discover as command

    if update:
        with json_alone(as_json):
            changes = command.update(output, draft)
        if as_json:
            print_json({kind: [row.model_dump(mode="json") for row in rows] for kind, rows in changes.items()})
            return
        for kind, rows in changes.items():
            for row in rows:
                print(*map(printable, (kind, row.session, row.path, row.version)), sep="\t")
        return
    size = None if max_size is None else int(max_size * 1e9)
    screen = Screen(species, region, tuple(variable or ()), size, draft)
    with json_alone(as_json):
        found = command.discover(inputs or [], output, screen=screen, follow=follow(follow_links))
    if as_json:
        print_json([row.model_dump(mode="json") for row in found])
    for row in found:
        info("%s: %s", row.session, row.reason or row.found)
    info("wrote %s", output)


def inspect(
    files: Annotated[list[str], typer.Argument(help="An " + RECORDING + " Several, or a folder: a line for each.")],
    json: Annotated[bool, typer.Option("--json", help="Print JSON; of several recordings a list.")] = False,
    config: Annotated[bool, typer.Option("--config", help="Print only a config to start from (YAML).")] = False,
    table: Annotated[
        Path | None, typer.Option("--table", help="Also write a table with a row for each recording (.tsv).")
    ] = None,
    follow_links: FollowLinks = False,
) -> None:
    """Print the contents of a file, the data that auto would take, and its problems; of many files, a line for each."""
    from xcebra_nwb.commands import inspect_many as many
    from xcebra_nwb.commands.inspect import config_of, render
    from xcebra_nwb.commands.inspect import inspect as work
    from xcebra_nwb.core.errors import UsageError

    if many.are_many(files) or table is not None:
        if config:
            raise UsageError("--config is for one recording", "give one file, without --table")
        _inspect_many(files, json, table, follow(follow_links))
        return
    with json_alone(json):
        inventory = work(source_of(files[0]), follow(follow_links))
    if config:
        print_text(config_of(inventory).removesuffix("\n"))
    elif json:
        print_json(inventory.model_dump(mode="json"))
    else:
        print_text(render(inventory))


def _inspect_many(inputs: list[str], json: bool, table: Path | None, links: Follow) -> None:
    """Print each recording as soon as it was read, and a summary; only the short rows are kept."""
    from xcebra_nwb.commands import inspect_many as many

    rows, out = [], sys.stdout
    with json_alone(json):
        for number, content in enumerate(many.inventories(many.recordings(inputs), links)):
            rows.append(many.screened(content))
            if json:
                print_text(("," if number else "[") + json_text(content.model_dump(mode="json")), out)
            else:
                print_text(rows[-1].line)
    print_text("]" if json else "\n".join(["", *many.summary(rows)]))
    if table is not None:
        many.write_table(rows, table)
        info("wrote %s", table)


def simulate(
    file: Annotated[Path, typer.Argument(help="sub-<subject>_ses-<session>.nwb")],
    seed: Annotated[int, typer.Option(min=0, help="Random seed of the cells and of the walk.")] = 0,
    duration: Annotated[float, typer.Option(help="Duration, s.")] = 600.0,
    cells: Annotated[int, typer.Option(help="Number of units of each type.")] = 20,
    rates: Annotated[float, typer.Option(help="Factor on the firing rate of every unit.")] = 1.0,
    mixed: Annotated[
        bool, typer.Option("--mixed", help="Simulate three other types, each tuned to two labels.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Simulate place, grid, head-direction and speed cells: known tuning, in NWB."""
    require_package("ratinabox", "simulate")
    from xcebra_nwb.commands.simulate import simulate as work

    with json_alone(as_json):
        written = work(file, seed, duration, cells, rates, mixed)
    info("wrote %s", written)
    if as_json:
        print_json({"file": str(written)})
