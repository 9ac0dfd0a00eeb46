"""Propose a config for a file: the selection of ``auto`` by name, or close to it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from xcebra_nwb.core.safe_text import printable
from xcebra_nwb.nwb.inventory.foresight import bridged
from xcebra_nwb.nwb.inventory.models import IntervalTable, Inventory, LabelSeries, NeuralSource, TimeRange
from xcebra_nwb.nwb.labels.choice import clean_name
from xcebra_nwb.nwb.reading.file import name_of
from xcebra_nwb.nwb.reading.intervals import INVALID

MOST_MORE = 12  # labels that are offered in comments
PLAIN = re.compile(r"[A-Za-z0-9_./-]+")


class _Offer:
    """A label that could stand in the config.

    Args:
        name: Name of the label.
        keys: Its keys in the config.
        covered: Range of its times in s.
        period: Its sample period in s, which must be bridged.
    """

    def __init__(self, name: str, keys: dict[str, str], covered: TimeRange | None, period: float | None = None) -> None:
        self.name, self.keys, self.covered, self.period = name, keys, covered, period

    def line(self, taken: set[str]) -> str:
        name = clean_name(self.name, taken)
        taken.add(name)
        keys = ", ".join(f"{key}: {quoted(value)}" for key, value in self.keys.items())
        return f"{name}: {{{keys}}}"


def starting_config(contents: Inventory) -> str:
    """Return a config in YAML that works for the file, "" if nothing would work.

    Comments list what else the file offers.
    """
    neural = _neural(contents)
    if not neural:
        return ""
    stretch = trusted(neural[0])
    longest = bridged(1 / neural[0].rate if neural[0].rate else 0.0)
    first, more = _labels(contents, stretch, longest)
    if not first:
        return ""
    slowest = max((offer.period or 0.0 for offer in first), default=0.0)
    time = [f"max_gap: {1.01 * slowest:.4g}"] if slowest > longest else []
    if within := _within(contents, neural, first):
        time.append(f"within: [{_milliseconds(within[0])}, {_milliseconds(within[1])}]")
    taken: set[str] = set()
    paths = ", ".join(quoted(source.path) for source in neural)
    lines = [f"# {printable(neural[0].remark)}: check it before you use it"] if neural[0].remark else []
    lines += [f"neural: {{source: {paths}}}" if len(neural) == 1 else f"neural: {{source: [{paths}]}}"]
    lines += [f"# time: {{within: {quoted(f'{table.path}: <query over its columns>')}}}" for table in _epochs(contents)]
    lines += [f"time: {{{', '.join(time)}}}"] if time else []
    lines += ["labels:", *(f"  {offer.line(taken)}" for offer in first)]
    lines += [f"  # {offer.line(taken)}" for offer in more[:MOST_MORE]]
    lines += [f"  # and {len(more) - MOST_MORE} more: see the lists above"] if len(more) > MOST_MORE else []
    return "\n".join(lines) + "\n"


def quoted(text: str) -> str:
    """Return a text as a YAML value within braces.

    >>> quoted("/units"), quoted("a: b")
    ('/units', '"a: b"')
    """
    return text if PLAIN.fullmatch(text) else printable(json.dumps(text, ensure_ascii=False))


def trusted(item: NeuralSource | LabelSeries) -> TimeRange | None:
    """Return the range of an object's times in s, without absurd ones."""
    return item.trusted_range or item.time_range


def _neural(contents: Inventory) -> list[NeuralSource]:
    """Return the sources of ``auto``, else the first that has times and spikes."""
    taken = [source for source in contents.neural if source.taken_by_auto]
    usable = [source for source in contents.neural if source.time_range is not None]
    return [source for source in taken or usable[:1] if source.events != 0]


def _labels(contents: Inventory, stretch: TimeRange | None, longest: float) -> tuple[list[_Offer], list[_Offer]]:
    """Return the labels to start with, and others to offer in comments."""
    by_path = {series.path: series for series in contents.series}
    picked = [
        label for label in contents.automatic.labels if label.source not in by_path or _good(by_path[label.source])
    ]
    first = [
        _Offer(label.name, {"source": label.source, "kind": label.kind}, *_covered(contents, label.source))
        for label in picked
    ]
    named = {label.source for label in picked}
    others = [offer for offer in _others(contents) if offer.keys["source"] not in named or "derive" in offer.keys]
    first = [offer for offer in first if _shares(offer.covered, stretch)]
    quick = [offer for offer in first if (offer.period or 0.0) <= longest]
    slow = [offer for offer in first if offer not in quick]
    first = quick or slow
    if not first:
        fits = [o for o in others if _shares(o.covered, stretch) and o.keys.get("derive") != "speed"]
        fits.sort(key=lambda offer: ((offer.period or 0.0) > longest, offer.keys.get("derive") == "time_from"))
        first = fits[:1]
    return first, [offer for offer in [*slow, *others] if offer not in first]


def _others(contents: Inventory) -> Iterator[_Offer]:
    """Yield everything that could be a label, the most likely first."""
    for series in contents.series:
        if series.kind and series.kind != "events" and _good(series):
            period = 1 / series.rate if series.rate else None
            yield _Offer(name_of(series.path), {"source": series.path}, trusted(series), period)
    for series in contents.series:
        if series.neurodata_type == "SpatialSeries" and series.kind == "continuous" and _good(series):
            yield _Offer("speed", {"source": series.path, "derive": "speed"}, trusted(series))
    for table in contents.intervals:
        if table.path != INVALID:
            kinds = {column: kind for column, kind in table.kinds.items() if kind}
            for column in kinds:
                yield _Offer(column, {"source": f"{table.path}#{column}"}, table.time_range)
            if table.covered > 0 and table.rows > 1:
                keys = {"source": table.path, "derive": "time_within"}
                yield _Offer(f"time_in_{name_of(table.path)}", keys, table.time_range)
    for series in contents.series:
        if series.kind == "events":
            keys = {"source": series.path, "derive": "time_from"}
            yield _Offer(f"since_{name_of(series.path)}", keys, trusted(series))


def _good(series: LabelSeries) -> bool:
    return bool(series.kind) and series.time_range is not None


def _covered(contents: Inventory, source: str) -> tuple[TimeRange | None, float | None]:
    """Return the range of a label and the step between its samples in s."""
    for series in contents.series:
        if series.path == source:
            return trusted(series), 1 / series.rate if series.rate else None
    return next((table.time_range for table in contents.intervals if table.path == source.split("#")[0]), None), None


def _shares(first: TimeRange | None, second: TimeRange | None) -> bool:
    """Return whether two ranges overlap; an unknown one counts as overlapping."""
    return first is None or second is None or min(first[1], second[1]) > max(first[0], second[0])


def _within(contents: Inventory, neural: list[NeuralSource], first: list[_Offer]) -> TimeRange | None:
    """Return the range to name in the config if an object has absurd times."""
    odd = {series.path for series in contents.series if series.trusted_range}
    if not any(source.trusted_range for source in neural) and not any(o.keys["source"] in odd for o in first):
        return None
    ranges = [stretch for stretch in [*map(trusted, neural), *(offer.covered for offer in first)] if stretch]
    return max(start for start, _ in ranges), min(stop for _, stop in ranges)


def _milliseconds(time: float) -> str:
    """Return a time rounded to the millisecond, without an exponent."""
    return f"{time:.3f}".rstrip("0").rstrip(".")


def _epochs(contents: Inventory) -> Iterator[IntervalTable]:
    """Yield the tables of epochs, to which a user may restrict the analysis."""
    for table in contents.intervals:
        if name_of(table.path) == "epochs" and table.labels:
            yield table
