"""figure: the main figure of a label for a paper, from the result files of a session."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from xcebra_nwb.commands.finished_sessions import session_folder
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.results import Results, load
from xcebra_nwb.report import paper_style
from xcebra_nwb.report.figures.paper import PANELS, caption, paper_figure


def figure(
    output: Path,
    label: str,
    target: Path,
    session: str = "",
    panels: Sequence[str] = PANELS,
    look: paper_style.Paper | None = None,
    dots_per_inch: int = 600,
) -> str:
    """Write the main figure of a label and return its caption.

    Args:
        output: Folder of a run, or results folder of a session.
        label: Name of the label; it may be empty if there is one.
        target: ``.pdf``, ``.svg`` or ``.png``.
        session: Name of the session; it may be empty if there is one.
        panels: Parts of the figure, of map, tuning, embedding and decoding.
        look: Width, font and size of the text; by default a double column.
        dots_per_inch: Of pixels.

    Raises:
        UsageError: There is no such session, label, part or kind of file, or the session has no results.
    """
    unknown = [name for name in panels if name not in PANELS]
    if unknown or not panels:
        raise UsageError(f"--panels: no panel {', '.join(unknown) or 'named'}", f"of {', '.join(PANELS)}")
    chosen = tuple(name for name in PANELS if name in panels)
    results = load(session_folder(output, session))
    label = _label(results, label)
    look = look or paper_style.paper("double", None, 7.0)
    with paper_style.on_paper(look):
        drawn = paper_figure(results, label, look, chosen)
        title = f"{results.session.attrs['session']}: {label}"
        paper_style.save(drawn, target, dots_per_inch, title)
    return caption(results, label, chosen)


def _label(results: Results, label: str) -> str:
    if not label and len(results.labels) == 1:
        return results.labels[0]
    if label not in results.labels:
        raise UsageError(f"--label {label or '(none)'}: no such label", f"one of: {', '.join(results.labels)}")
    return label
