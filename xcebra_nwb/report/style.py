"""The look of figures and pages: colours for the colour-blind too, and text that is never markup."""

from __future__ import annotations

import base64
import io
import math
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from typing import Any, Literal
from urllib.parse import quote

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from xcebra_nwb.core.safe_text import printable, shorten

INK, MUTED, FAINT, BAND = "#1b2430", "#5b6672", "#aab2bb", "#d9dee4"
SEED, NULL, FORWARD = "#0b5fa5", "#8a939d", "#b5651d"
CLASSES = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#4d4d4d", "#b8a800")
CORNERS = ((0.0, 0.45, 0.70), (0.84, 0.37, 0.0), (0.0, 0.62, 0.45), (0.95, 0.80, 0.25))  # low-low, high-low, ...
CYCLE = LinearSegmentedColormap.from_list("cycle", ["#0072b2", "#b65fa0", "#d55e00", "#d9a400", "#009e73", "#0072b2"])
SEQUENCE = mpl.colormaps["viridis"]
VERDICTS = {
    "supported": ("#00664f", "✔"),
    "weak": ("#8a5300", "◐"),
    "not encoded": ("#56606b", "○"),
    "not identifiable": ("#6d3a86", "?"),
}
STATES = {
    "done": ("#00664f", "✔"),
    "refused": ("#6d3a86", "⊘"),
    "failed": ("#a32a12", "✖"),
    "left out": ("#56606b", "–"),
}
UNKNOWN = ("#56606b", "?")
DOTS_PER_INCH = 132
LONGEST_APART = 24  # characters of a name that is cut to what tells it from the others
FONTS = "'DejaVu Sans', Verdana, Arial, sans-serif"  # of an SVG, where the first is not installed
SETTINGS: Any = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 8,
}


def verdict_style(verdict: str) -> tuple[str, str]:
    """Return the colour and the sign of a verdict.

    >>> verdict_style("weak")
    ('#8a5300', '◐')
    """
    return VERDICTS.get(verdict, UNKNOWN)


def plain(text: Any, longest: int = 48) -> str:
    r"""Return text that matplotlib draws as it stands.

    It is one line, without mathtext, and cut in the middle if it is longer than ``longest`` characters.

    >>> plain("price in $"), plain("a very long name of a unit", 12)
    ('price in \\$', 'a very …unit')
    """
    return shorten(printable(" ".join(str(text).split())), longest).replace("$", r"\$")


def number(value: Any, digits: int = 3) -> str:
    """Return a number for reading, ``–`` where there is none.

    >>> number(1234), number(0.12345), number(-2.5), number(None), number(float("nan"))
    ('1,234', '0.123', '−2.5', '–', '–')
    """
    if value is None or isinstance(value, str):
        return value or "–"
    if isinstance(value, float | np.floating) and not math.isfinite(value):
        return "–"
    if isinstance(value, int | np.integer):
        return f"{int(value):,}"
    return f"{float(value):.{digits}g}".replace("-", "−")


def counted(count: int, noun: str) -> str:
    """Return a number of things, in agreement.

    >>> counted(1, "unit"), counted(3000, "unit")
    ('1 unit', '3,000 units')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def percent(share: float, digits: int = 0) -> str:
    """Return a share in per cent, with the digits after the point.

    >>> percent(0.984, 1), percent(-0.02)
    ('98.4\xa0%', '−2\xa0%')
    """
    return f"{100 * share:.{digits}f}\u00a0%".replace("-", "−")


def latents(first: int, last: int) -> str:
    """Return the name of the latents from ``first`` to ``last`` (exclusive).

    >>> latents(0, 1), latents(2, 5)
    ('latent 0', 'latents 2–4')
    """
    return f"latent {first}" if last - first == 1 else f"latents {first}–{last - 1}"


def of_median_unit(maps: NDArray[Any]) -> NDArray[np.float64]:
    """Return ``maps`` (..., unit) as multiples of the median unit's share.

    >>> of_median_unit(np.array([1.0, 2.0, 8.0])).tolist()
    [0.5, 1.0, 4.0]
    """
    values = np.asarray(maps, np.float64)
    known = np.where(np.isnan(values).all(axis=-1, keepdims=True), 0.0, values)
    median = np.nanmedian(known, axis=-1, keepdims=True)
    return np.divide(values, median, out=np.full_like(values, np.nan), where=median > 0)


def figure(width: float, height: float, *, fixed: bool = False) -> Figure:
    """Return an empty figure of ``width`` by ``height`` inches.

    Args:
        width: in inches.
        height: in inches.
        fixed: whether the caller says where axes are; finding it takes a fifth of the time of a page.
    """
    layout: Literal["constrained"] | None = None if fixed else "constrained"
    made = Figure(figsize=(width, height), dpi=DOTS_PER_INCH, layout=layout, facecolor="white")
    FigureCanvasAgg(made)
    return made


def corner_colors(x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.float64]:
    """Return the colours (..., 3) of points of the unit square.

    Args:
        x: from 0 to 1, (...).
        y: from 0 to 1, (...).

    Returns:
        A blend of the colours of the four corners.

    >>> corner_colors(np.array([0.0]), np.array([0.0])).tolist() == [list(CORNERS[0])]
    True
    """
    low_low, high_low, low_high, high_high = (np.asarray(corner) for corner in CORNERS)
    x, y = np.clip(x, 0, 1)[..., None], np.clip(y, 0, 1)[..., None]
    return (1 - y) * ((1 - x) * low_low + x * high_low) + y * ((1 - x) * low_high + x * high_high)


def write_message(axes: Axes, text: str) -> None:
    """Show ``text`` where there is nothing to plot."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, plain(text, 120), ha="center", va="center", color=MUTED, transform=axes.transAxes)


def label_ticks(axes: Axes, names: Sequence[Any], *, axis: str = "x", longest: int = 24, **style: Any) -> None:
    """Put names on the ticks 0, 1, 2, ... of an axis.

    Args:
        axes: where to draw.
        names: one for each tick.
        axis: x or y.
        longest: number of characters of a name.
        **style: of the text, for matplotlib.
    """
    ticks = range(len(names))
    setter = axes.set_xticks if axis == "x" else axes.set_yticks
    setter(list(ticks), told_apart([str(name) for name in names], longest), **style)


def told_apart(names: Sequence[str], longest: int) -> list[str]:
    """Return names that are cut so that two different ones look different.

    Where cutting in the middle makes two alike (``probe_0_unit_17_good``), the beginning and the end that all of them
    share are left out.

    Args:
        names: the whole names.
        longest: number of characters of a name.

    >>> told_apart(["CA1", "CA3"], 24)
    ['CA1', 'CA3']
    >>> told_apart(["a_long_probe_unit_17_good", "a_long_probe_unit_18_good"], 12)
    ['…7…', '…8…']
    """
    cut = [plain(name, longest) for name in names]
    if len(set(cut)) == len(set(names)):
        return cut
    first = _alike(names)
    last = _alike([name[first:][::-1] for name in names])
    return [plain(f"…{name[first : len(name) - last]}…", max(longest, LONGEST_APART)) for name in names]


def _alike(names: Sequence[str]) -> int:
    """How many characters all ``names`` begin with in common."""
    return sum(1 for _ in takewhile(lambda letters: len(set(letters)) == 1, zip(*names, strict=False)))


@dataclass(frozen=True)
class Spot:
    """A part of a figure that says something, and leads to a unit's card where it has an address.

    Places and sizes are in per cent of the figure.
    """

    address: str
    words: str
    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class Picture:
    """A figure on a page: its ``data:`` address, its description in words, and the parts that lead to units."""

    uri: str
    alt: str
    spots: Sequence[Spot] = ()


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the style of this package alone.

    Matplotlib takes settings from the folder that a command runs in, which may be a stranger's; one of them sets texts
    by LaTeX, which reads files.
    """
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS)
        yield


def picture(
    draw: Callable[[], Figure],
    alt: str,
    *,
    vector: bool = False,
    spots: Callable[[Figure], Sequence[Spot]] | None = None,
) -> Picture:
    """Return a figure in the style of this package, ready for a page.

    Args:
        draw: makes the figure.
        alt: describes it in words.
        vector: whether it is an SVG with text that can be edited; else it is a PNG.
        spots: finds the parts of the figure that lead to units.
    """
    with styled(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # names may be in any script
        drawn = draw()
        uri = _vector_uri(drawn) if vector else _data_uri(drawn)
        return Picture(uri, alt, spots(drawn) if spots else ())


def _vector_uri(drawn: Figure) -> str:
    """An SVG in a ``data:`` address; the same figure is the same text."""
    packed = io.StringIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "xcebra-nwb"}):
        # Not by `savefig`, which would draw it twice, once to lay it out, with the same result.
        FigureCanvasSVG(drawn).print_svg(packed, metadata={"Date": None, "Creator": None})
    return "data:image/svg+xml," + quote(_small(packed.getvalue()), safe=" !$&'()*+,-./:;=?@_~|[]{}")


def _small(text: str) -> str:
    """An SVG of matplotlib in less than half the space; only tags change, no text that people read."""
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r"\s*\n\s*", " ", text).replace("> <", "><")  # no text in a figure has lines
    text = re.sub(r"<[^<>]*'DejaVu Sans'[^<>]*>", lambda tag: tag[0].replace("'DejaVu Sans'", FONTS), text)
    often = Counter(re.findall(r'<[^<>]* style="([^"]*)"', text))
    classes = {style: f"s{place}" for place, style in enumerate(often) if often[style] > 2}
    names: dict[str, str] = {}

    def renamed(found: re.Match[str]) -> str:  # matplotlib makes names from places in memory
        return found[1] + names.setdefault(found[2], f"i{len(names)}")

    def tag(found: re.Match[str]) -> str:
        short = re.sub(r'\b(id="|href="#|url\(#)([^")]+)', renamed, found[0])
        short = re.sub(r'<path [^>]*?\bd="[^"]*"|\btransform="[^"]*"', _rounded, short)
        return re.sub(r'style="([^"]*)"', lambda style: _styled_by(style, classes), short)

    text = re.sub(r"<[^<>]*>", tag, text)
    text = re.sub(r'<g id="i\d+">(<(?:path|use)[^<>]*/>)</g>', r"\1", text)
    rules = "".join(f".{name} {{{style}}}" for style, name in classes.items())
    return text.replace("<defs>", f"<defs><style>{rules}</style>", 1)


def _styled_by(style: re.Match[str], classes: Mapping[str, str]) -> str:
    return f'class="{classes[style[1]]}"' if style[1] in classes else style[0]


def _rounded(path: re.Match[str]) -> str:
    """A path or a place to a hundredth of a point."""
    return re.sub(r"(\d\.\d\d)\d+", r"\1", path[0])


def _data_uri(drawn: Figure, colors: int = 256) -> str:
    """A PNG in a ``data:`` address, with a palette of ``colors`` to keep pages small."""
    canvas, packed = FigureCanvasAgg(drawn), io.BytesIO()
    canvas.draw()  # savefig would draw it twice, once to lay it out, with the same result
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    # Not with `optimize`: 4 % smaller, in eight times the time. By an octree: a fifth of the time of the median cut.
    image.quantize(colors, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(packed, format="png")
    return "data:image/png;base64," + base64.b64encode(packed.getvalue()).decode("ascii")
