"""The look of figures for a journal: its column widths and fonts, text that can be edited, and no trace of the day."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.text import Text

from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.files import atomic
from xcebra_nwb.report.style import INK, MUTED

MILLIMETRE = 1 / 25.4  # inches
WIDTHS = {"single": 85.0, "middle": 114.0, "double": 174.0}  # mm; Cell Press. Others differ by a few mm.
NARROWEST, WIDEST = 40.0, 400.0  # mm
FORMATS = ("pdf", "svg", "png")
LEAST_DPI, MOST_DPI = 300, 2400  # more is more memory than a machine has
FONTS = ("Arial", "Helvetica", "Liberation Sans", "Nimbus Sans", "DejaVu Sans")  # the first that is installed
SMALLEST, LARGEST = 4.0, 14.0  # points


@dataclass(frozen=True)
class Paper:
    """What a journal asks of a figure."""

    width: float  # mm
    font: str
    points: float

    @property
    def inches(self) -> float:
        """The width in inches."""
        return self.width * MILLIMETRE


def paper(size: str, font: str | None, points: float) -> Paper:
    """Return the look of a figure.

    Args:
        size: single, middle or double column, or a width in mm.
        font: name of an installed font; None for the first of :data:`FONTS`.
        points: size of the text.

    Raises:
        UsageError: The width or the size of the text is none, or the font is not installed.
    """
    try:
        width = WIDTHS.get(size) or float(size)
    except ValueError:
        raise UsageError(f"--size {size}: no width", f"{', '.join(WIDTHS)}, or a number of mm") from None
    if not NARROWEST <= width <= WIDEST:
        raise UsageError(f"--size {size}: {width:g} mm", f"{NARROWEST:g} to {WIDEST:g} mm")
    if not SMALLEST <= points <= LARGEST:
        raise UsageError(f"--font-size {points:g}", f"{SMALLEST:g} to {LARGEST:g} points")
    return Paper(width, _installed(font), points)


def _installed(font: str | None) -> str:
    known = {entry.name for entry in font_manager.fontManager.ttflist}
    if font is None:
        return next(name for name in FONTS if name in known)  # matplotlib brings the last
    if font not in known:
        raise UsageError(f"--font {font}: not installed", f"one of {', '.join(sorted(known & set(FONTS)))}, ...")
    return font


@contextmanager
def on_paper(look: Paper) -> Iterator[None]:
    """Draw for a journal: thin lines, small text, and fonts that an editor of figures can edit.

    Args:
        look: of the figure.
    """
    settings: Any = {
        "font.family": [look.font, "DejaVu Sans"],  # the second for signs that the first lacks
        "font.size": look.points,
        **dict.fromkeys(("axes.titlesize", "axes.labelsize", "xtick.labelsize", "ytick.labelsize"), look.points),
        "legend.fontsize": look.points,
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": INK,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "axes.linewidth": 0.5,
        "lines.linewidth": 0.75,
        "patch.linewidth": 0.5,
        "xtick.major.width": 0.5,
        "ytick.major.width": 0.5,
        "xtick.major.size": 2,
        "ytick.major.size": 2,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlelocation": "left",
        "axes.titlepad": 3,
        "axes.labelpad": 1.5,
        "legend.frameon": False,
        "pdf.fonttype": 42,
        "svg.fonttype": "none",
        "svg.hashsalt": "xcebra-nwb",
    }
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(settings)
        yield


def save(drawn: Figure, path: Path, dots_per_inch: int, title: str) -> None:
    """Write a figure; the same results give the same bytes.

    Args:
        drawn: the figure.
        path: ``.pdf``, ``.svg`` or ``.png``.
        dots_per_inch: of a PNG, and of the parts of the others that are pixels.
        title: stands in the file.

    Raises:
        UsageError: The name has another ending, or the resolution is none for print.
    """
    kind = path.suffix.lower().removeprefix(".")
    if kind not in FORMATS:
        raise UsageError(f"{path}: not a figure", f"call it .{', .'.join(FORMATS)}")
    if dots_per_inch < LEAST_DPI:
        raise UsageError(f"--dpi {dots_per_inch}: journals print no less than {LEAST_DPI}", f"at least {LEAST_DPI}")
    if dots_per_inch > MOST_DPI:
        raise UsageError(f"--dpi {dots_per_inch}: no printer resolves this", f"at most {MOST_DPI}")
    metadata = {
        "pdf": {"Title": title, "Creator": None, "Producer": None, "CreationDate": None},
        "svg": {"Title": title, "Creator": None, "Date": None},
        "png": {"Title": title, "Software": None},
    }[kind]
    with atomic(path) as temporary:
        drawn.savefig(temporary, format=kind, dpi=dots_per_inch, metadata=metadata)


def shrink_text(drawn: Artist, points: float) -> None:
    """Make no text larger than ``points``.

    Args:
        drawn: a figure, or a part of one.
        points: size of the text.
    """
    for text in drawn.findobj(Text):
        assert isinstance(text, Text)
        if float(text.get_fontsize()) > points:
            text.set_fontsize(points)
