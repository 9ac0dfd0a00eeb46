"""Commands that find recordings, look into them, or make them up."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xcebra_nwb.commands.cli.options import INPUTS, ONE, TABLE, FollowLinks, follow, info, source_of
from xcebra_nwb.commands.cli.output import print_text
from xcebra_nwb.core.files import json_text
from xcebra_nwb.core.installation import require_package
from xcebra_nwb.core.safe_text import printable


def discover(
    inputs: Annotated[list[str] | None, typer.Argument(help=INPUTS)] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="The table to write.")] = TABLE,
    species: Annotated[str, typer.Option(help="Take assets of this species only (part of its name).")] = "",
    region: Annotated[str, typer.Option(help="Take assets of this brain region only (part of its name).")] = "",
    variable: Annotated[list[str] | None, typer.Option(help="Take assets with this NWB type only.")] = None,
    max_size: Annotated[float | None, typer.Option(min=0, help="Take assets of at most so many GB.")] = None,
    draft: Annotated[bool, typer.Option("--draft", help="Take a draft too, pinned by digest.")] = False,
    update: Annotated[bool, typer.Option("--update", help="Show what changed since, and pin it anew.")] = False,
    follow_links: FollowLinks = False,
) -> None:
    """List the sessions that a run is made of in a table to review."""
    from xcebra_nwb.archive.remote import Screen
    from xcebra_nwb.commands import discover as command

    if update:
        for kind, rows in command.update(output, draft).items():
            for row in rows:
                print(*map(printable, (kind, row.session, row.path, row.version)), sep="\t")
        return
    size = None if max_size is None else int(max_size * 1e9)
    screen = Screen(species, region, tuple(variable or ()), size, draft)
    for row in command.discover(inputs or [], output, screen=screen, follow=follow(follow_links)):
        info("%s: %s", row.session, row.reason or row.found)
    info("wrote %s", output)


def inspect(
    file: Annotated[str, typer.Argument(help="An " + ONE)],
    json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    config: Annotated[bool, typer.Option("--config", help="Only a config to start from, in YAML.")] = False,
    follow_links: FollowLinks = False,
) -> None:
    """Print what a file holds, what would be extracted from it, and what is wrong with it."""
    from xcebra_nwb.commands.inspect import config_of, render
    from xcebra_nwb.commands.inspect import inspect as work

    inventory = work(source_of(file), follow(follow_links))
    if config:
        print_text(config_of(inventory).removesuffix("\n"))
    elif json:
        print_text(json_text(inventory.model_dump(mode="json")))
    else:
        print_text(render(inventory))


def simulate(
    file: Annotated[Path, typer.Argument(help="sub-<subject>_ses-<session>.nwb")],
    seed: Annotated[int, typer.Option(min=0, help="Other seed, other cells and another walk.")] = 0,
    duration: Annotated[float, typer.Option(help="s")] = 600.0,
    cells: Annotated[int, typer.Option(help="Units of each of the four types.")] = 20,
    rates: Annotated[float, typer.Option(help="Factor on every unit's rate.")] = 1.0,
    mixed: Annotated[bool, typer.Option("--mixed", help="Three types, each tuned to two of the labels.")] = False,
) -> None:
    """Write a recording whose true tuning is known: place, grid, head-direction and speed cells."""
    require_package("ratinabox", "simulate")
    from xcebra_nwb.commands.simulate import simulate as work

    info("wrote %s", work(file, seed, duration, cells, rates, mixed))
