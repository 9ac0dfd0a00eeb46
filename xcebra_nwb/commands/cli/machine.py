"""The command about the machine itself."""

from __future__ import annotations

from typing import Annotated

import typer

from xcebra_nwb.commands.cli import completion
from xcebra_nwb.commands.cli.options import AsJson
from xcebra_nwb.commands.cli.output import json_alone, print_json, print_text
from xcebra_nwb.core.errors import Exit


def doctor(
    instance: Annotated[
        str,
        typer.Option(
            help="Name or address of the archive to look for.",
            autocompletion=completion.words(*completion.INSTANCES),
        ),
    ] = "dandi",
    offline: Annotated[bool, typer.Option("--offline", help="Leave the network alone.")] = False,
    device: Annotated[
        str,
        typer.Option(
            help="Device that trains: auto, cpu, cuda or cuda:1.",
            autocompletion=completion.words("auto", "cpu", "cuda"),
        ),
    ] = "auto",
    train: Annotated[bool, typer.Option(help="Train for a moment, to measure the rate.")] = True,
    as_json: AsJson = False,
) -> None:
    """Say what this machine has, what will be used of it, and what would help.

    It ends with 1 if something is wrong. Put its output into a report of a fault.
    """
    from xcebra_nwb.commands.doctor import doctor as work

    with json_alone(as_json):
        findings = work(None if offline else instance, device, train)
    if as_json:
        print_json([finding.model_dump() for finding in findings])
    else:
        for finding in findings:
            remedy = f" ({finding.remedy})" if finding.remedy else ""
            print_text(f"{finding.state:<6}{finding.part}: {finding.text}{remedy}")
    if any(finding.state == "wrong" for finding in findings):
        raise typer.Exit(Exit.FAILED)
