"""Commands for a paper."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from xcebra_nwb.commands.cli import completion
from xcebra_nwb.commands.cli.options import AsJson, info
from xcebra_nwb.commands.cli.output import json_alone, print_json, print_text

Output = Annotated[Path, typer.Argument(help="Folder of a run, or results folder of a session.")]
SessionName = Annotated[
    str,
    typer.Option("--session", help="Name of the session, if there are several.", autocompletion=completion.sessions),
]


def figure(
    output: Output,
    target: Annotated[Path, typer.Option("--output", "-o", help="File to write: .pdf, .svg or .png.")],
    label: Annotated[
        str, typer.Option(help="Name of the label, if there are several.", autocompletion=completion.labels)
    ] = "",
    session: SessionName = "",
    panels: Annotated[
        str,
        typer.Option(help="Parts of the figure: map, tuning, embedding, decoding.", autocompletion=completion.panels),
    ] = "map,tuning,embedding,decoding",
    size: Annotated[
        str,
        typer.Option(
            help="single (85 mm), middle (114 mm) or double (174 mm) column, or mm.",
            autocompletion=completion.words(*completion.WIDTHS),
        ),
    ] = "double",
    font: Annotated[str | None, typer.Option(help="An installed font; by default Arial or what is like it.")] = None,
    font_size: Annotated[float, typer.Option(help="Size of the text, points.")] = 7.0,
    dpi: Annotated[int, typer.Option(help="Resolution of pixels, 300 to 2400.")] = 600,
    as_json: AsJson = False,
) -> None:
    """Write the main figure of a label for a journal, and print a caption.

    Text in PDF and SVG stays text.
    """
    from xcebra_nwb.commands.figure import figure as work
    from xcebra_nwb.report.paper_style import paper

    look = paper(size, font, font_size)
    chosen = [name.strip() for name in panels.split(",")]
    with json_alone(as_json):
        caption = work(output, label, target, session, chosen, look, dpi)
    if as_json:
        print_json({"file": str(target), "caption": caption, "width_mm": look.width})
    else:
        print_text(caption)
    info("wrote %s: %g mm wide, %s %g pt", target, look.width, look.font, look.points)


def methods(output: Output, session: SessionName = "", as_json: AsJson = False) -> None:
    """Print the methods of the results, with settings, versions and references, to paste into a paper."""
    from xcebra_nwb.commands.methods import methods as work

    with json_alone(as_json):
        told = work(output, session)
    if as_json:
        print_json({"paragraphs": told.paragraphs, "references": told.references})
    else:
        print_text(told.text)
