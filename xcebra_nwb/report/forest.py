"""The forest plot of a comparison: a line for each label and region, with its interval, that leads to the units."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
from markupsafe import Markup

from xcebra_nwb.assess.over_sessions.comparison import Comparison
from xcebra_nwb.core.safe_text import printable, shorten
from xcebra_nwb.report.style import number

WIDTH, LINE, TOP = 900, 22, 44
SHARE, TOLD = (190, 430), (610, 780)  # where the axes begin and end
NUMBERS = 440  # where the share in numbers begins
MOST = 80  # lines of the drawing
LEAST_UNITS = 10  # of a line that is drawn; the table has all
NAMES = {"bit/spike": "bits a spike", "1": "share of the variance", "": "unknown measure"}


def forest_rows(compared: Comparison) -> pd.DataFrame:
    """Return the lines of a forest plot: of each label the total, then its parts; column ``part`` is "" for the total.

    Args:
        compared: of all sessions.
    """
    if compared.by == "label":
        return compared.totals.assign(part="", total=True)
    totals = compared.totals.assign(part="", total=True)
    totals[compared.by] = ""
    parts = compared.rows.assign(part=compared.rows[compared.by], total=False)
    place = {label: line for line, label in enumerate(compared.totals["label"])}
    joined = pd.concat([totals, parts], ignore_index=True)
    joined["_place"] = joined["label"].map(place)
    order = ["_place", "total"]
    return (
        joined.sort_values(order, ascending=[True, False], kind="stable").drop(columns="_place").reset_index(drop=True)
    )


def records(table: pd.DataFrame) -> list[Any]:
    """Return the rows of a table, each with an attribute for every column."""
    return list(table.itertuples(index=False))


def part_name(row: Any, by: str) -> str:
    """Return the name of a line of the forest plot."""
    if row.total:
        return str(row.label)
    return str(row.part) or f"no {by}"


def interval_words(middle: float, low: float, high: float) -> str:
    """Return a number and its interval.

    >>> interval_words(0.314, 0.2, 0.42), interval_words(0.3, float("nan"), float("nan"))
    ('0.31 (0.2 to 0.42)', '0.3')
    """
    words = number(middle, 2)
    return f"{words} ({number(low, 2)} to {number(high, 2)})" if np.isfinite(low) else words


def share_words(share: float, low: float, high: float) -> str:
    """Return a share and its interval in per cent.

    >>> share_words(0.314, 0.2, 0.42), share_words(0.034, 0.03, 0.0421)
    ('31 % (20 to 42 %)', '3.4 % (3.0 to 4.2 %)')
    """
    digits = 1 if share < 0.1 else 0
    return f"{100 * share:.{digits}f} % ({100 * low:.{digits}f} to {100 * high:.{digits}f} %)"


def spread_words(spread: float, low: float, high: float) -> str:
    """Return a spread of shares and its interval in points of per cent; a dash where it is not known.

    >>> spread_words(0.054, 0.03, 0.08), spread_words(float("nan"), float("nan"), float("nan"))
    ('5.4 (3 to 8)', '–')
    """
    return interval_words(100 * spread, 100 * low, 100 * high)


def telling(row: Any, by: str) -> str:
    """Return the sentence on a line of the forest plot, for the pointer and for those who see none."""
    where = "all units" if row.total else f"{by} {part_name(row, by)}"
    told = interval_words(row.information, row.information_low, row.information_high)
    measure = NAMES.get(row.measure, row.measure)
    others = f" ({row.other_measures} other measures left out)" if row.other_measures else ""
    return printable(
        f"{row.label}, {where}: share {share_words(row.share, row.share_low, row.share_high)}, {row.carriers:,} of "
        f"{row.units:,} units in {row.sessions:,} sessions of {row.subjects:,} subjects, interval over {row.over}; "
        f"information {told} {measure}{others}; supported in {row.supported:,} of {row.sessions:,}"
    )


def label_search(label: str) -> str:
    """Return the search of the page for the units of a label.

    >>> label_search("position")
    'label="position"'
    """
    return f'label="{label}"'


def search_for(row: Any, by: str) -> str:
    """Return the search of the page for the units of a line."""
    return label_search(row.label) if row.total else f'{label_search(row.label)} {by}="{row.part}"'


def forest_svg(compared: Comparison) -> Markup:
    """Return the drawing; lines whose label is not supported in most sessions are faint, below the others.

    Args:
        compared: of all sessions.
    """
    rows = forest_rows(compared)
    rows = rows[rows["total"] | (rows["units"] >= LEAST_UNITS)].head(MOST)
    if rows.empty:
        return Markup("")
    measure = str(compared.totals["measure"].iloc[0])
    scale = _scale(rows[rows["measure"] == measure])
    content, y, doubted = [_axes(scale, measure)], TOP, False
    label_believed = dict(zip(compared.totals["label"], compared.totals["believed"], strict=True))
    for row in records(rows):
        if not label_believed[row.label] and not doubted:
            doubted, y = True, y + LINE
            heading = "Not ranked: supported in no more than half of their sessions"
            content.append(Markup('<text class="aside" x="4" y="{}">{}</text>').format(y - 6, heading))
        y += 6 if row.total and y > TOP else 0
        content.append(_line(row, compared.by, y, scale, row.measure == measure, not label_believed[row.label]))
        y += LINE
    lines = [Markup('<path class="zero" d="M{} {}V{}"/>').format(at, TOP - 6, y) for at in (SHARE[0], scale(0.0))]
    alt = (
        f"Forest plot: share of units that carry each label, by {compared.by}, with 95 % intervals; {len(rows)} lines."
    )
    return Markup('<svg class="forest" viewBox="0 0 {} {}" role="group" aria-label="{}">{}{}</svg>').format(
        WIDTH, y + 6, alt, Markup("").join(lines), Markup("").join(content)
    )


class _Scale:
    """Places of information on its axis; what is beyond the ends is drawn at them."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    def __call__(self, value: float) -> float:
        at = (np.clip(value, self.low, self.high) - self.low) / (self.high - self.low)
        return float(np.round(TOLD[0] + at * (TOLD[1] - TOLD[0]), 1))


def _scale(rows: pd.DataFrame) -> _Scale:
    values = rows[["information", "information_low", "information_high"]].to_numpy(dtype=float)
    known = values[np.isfinite(values)]
    high = float(np.percentile(known, 97)) if len(known) else 1.0
    low = float(np.percentile(known, 3)) if len(known) else 0.0
    high = max(high, 1e-3)
    return _Scale(min(low, -0.05 * high), high)


def _share(value: float) -> float:
    return round(SHARE[0] + float(value) * (SHARE[1] - SHARE[0]), 1)


def _axes(scale: _Scale, measure: str) -> Markup:
    parts = [
        Markup('<text class="head" x="{}" y="12">{}</text>').format(SHARE[0], "share of units that carry the label"),
        Markup('<text class="head" x="{}" y="12">{}</text>').format(TOLD[0], f"information, {_measure(measure)}"),
        Markup('<text class="head" x="{}" y="12">{}</text>').format(TOLD[1] + 20, "supported in"),
    ]
    for value in (0, 0.25, 0.5, 0.75, 1):
        at = _share(value)
        parts.append(Markup('<text x="{}" y="30" text-anchor="middle">{:.0f} %</text>').format(at, 100 * value))
    for value in (0.0, scale.high):
        mark = Markup('<text x="{}" y="30" text-anchor="middle">{}</text>')
        parts.append(mark.format(scale(value), number(value, 2)))
    return Markup("").join(parts)


def _measure(measure: str) -> str:
    return NAMES.get(measure, measure)


def _line(row: Any, by: str, y: int, scale: _Scale, told: bool, doubted: bool) -> Markup:
    middle = y + LINE / 2
    kind = f"row{' total' if row.total else ''}{' doubt' if doubted else ''}"
    marks = [_mark(_share(row.share), _share(row.share_low), _share(row.share_high), middle, row.total)]
    if told and np.isfinite(row.information):
        low, high = (
            scale(value) if np.isfinite(value) else None for value in (row.information_low, row.information_high)
        )
        marks.append(_mark(scale(row.information), low, high, middle, row.total))
    words = share_words(row.share, row.share_low, row.share_high)
    texts = [
        (4 if row.total else 18, shorten(printable(part_name(row, by)), 25), ""),
        (NUMBERS, words, "value"),
        (TOLD[1] + 20, f"{row.supported:,} of {row.sessions:,}", "value"),
    ]
    written = [
        Markup('<text class="{}" x="{}" y="{}">{}</text>').format(style, x, middle + 4, text)
        for x, text, style in texts
    ]
    address = f"#search={quote(search_for(row, by))}"
    return Markup(
        '<a class="{}" href="{}"><title>{}</title><rect x="0" y="{}" width="{}" height="{}"/>{}{}</a>'
    ).format(kind, address, telling(row, by), y, WIDTH, LINE, Markup("").join(written), Markup("").join(marks))


def _mark(at: float, low: float | None, high: float | None, y: float, total: bool) -> Markup:
    """A dot, or a diamond for a total, and its interval."""
    line = "" if low is None or high is None else Markup('<path class="ends" d="M{} {}H{}"/>').format(low, y, high)
    size = 6 if total else 3.5
    if total:
        dot = Markup('<path class="point" d="M{} {}l{} {}l{} {}l-{} {}z"/>').format(
            at - size, y, size, -size, size, size, size, size
        )
        return line + dot if line else dot
    dot = Markup('<circle class="point" cx="{}" cy="{}" r="{}"/>').format(at, y, size)
    return line + dot if line else dot
