"""Propose a config for a file: the selection of ``auto`` by name, or close to it."""

from __future__ import annotations

import json
import re
from typing import Any

from xcebra_nwb.core.config.labels import Label
from xcebra_nwb.core.safe_text import printable
from xcebra_nwb.nwb.inventory.foresight import bridged
from xcebra_nwb.nwb.inventory.models import Inventory, LabelSeries, NeuralSource, TimeRange
from xcebra_nwb.nwb.labels.auto.names import clean_name

MOST_MORE = 12  # labels that are offered in comments
PLAIN = re.compile(r"[A-Za-z0-9_./-]+")


class _Offer:
    """A label that could stand in the config.

    Args:
        name: Name of the label.
        config: Its section of the config.
        covered: Range of its times in s.
        period: Its sample period in s, which must be bridged.
    """

    def __init__(self, name: str, config: Label, covered: TimeRange | None, period: float | None = None) -> None:
        self.name, self.config, self.covered, self.period = name, config, covered, period

    def line(self, taken: set[str]) -> str:
        """Return the label as a line of the config under a name that is not taken."""
        name = clean_name(self.name, taken)
        taken.add(name)
        keys = self.config.model_dump(mode="json", exclude_defaults=True)
        return f"{name}: {{{', '.join(f'{key}: {flow(value)}' for key, value in keys.items())}}}"


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
    lines += _where(neural, paths)
    lines += _parts(contents)
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


def flow(value: Any) -> str:
    """Return a value of the config in YAML, on one line.

    >>> flow(["/a", "/b c"]), flow(0.5)
    ('[/a, "/b c"]', '0.5')
    """
    if isinstance(value, list):
        return f"[{', '.join(map(flow, value))}]"
    return quoted(value) if isinstance(value, str) else json.dumps(value)


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
    picked = [
        _Offer(label.name, label.config.model_copy(update={"kind": label.kind}), *_covered(contents, label.config))
        for label in contents.automatic.labels
    ]
    others = [
        _Offer(offer.name, offer.config, *_covered(contents, offer.config)) for offer in contents.automatic.offers
    ]
    others = [offer for offer in others if _readable(contents, offer.config)]
    first = [offer for offer in picked if _shares(offer.covered, stretch)]
    quick = [offer for offer in first if (offer.period or 0.0) <= longest]
    slow = [offer for offer in first if offer not in quick]
    first = quick or slow
    if not first:
        fits = [o for o in others if _shares(o.covered, stretch) and o.config.derive not in {"speed", "heading"}]
        fits.sort(key=lambda offer: ((offer.period or 0.0) > longest, offer.config.derive == "time_from"))
        first = fits[:1]
    return first, [offer for offer in [*slow, *others] if offer not in first]


def _readable(contents: Inventory, config: Label) -> bool:
    """Return whether a label can be made of all its sources, as far as the inventory tells."""
    series = {series.path: series for series in contents.series}
    tables = {table.path: table for table in contents.intervals}
    for source in config.sources:
        path, _, column = source.partition("#")
        if path in series and not _good(series[path]):
            return False
        if path in tables and column and not tables[path].kinds.get(column):
            return False
        if path in tables and not column and not (tables[path].covered > 0 and tables[path].rows > 1):
            return False
    return True


def _good(series: LabelSeries) -> bool:
    return bool(series.kind) and series.time_range is not None and not series.doubt


def _covered(contents: Inventory, config: Label) -> tuple[TimeRange | None, float | None]:
    """Return the range of a label and the step between its samples in s."""
    paths = {source.split("#")[0] for source in config.sources}
    series = [series for series in contents.series if series.path in paths]
    tables = [table for table in contents.intervals if table.path in paths]
    ranges = [r for r in [*map(trusted, series), *(table.time_range for table in tables)] if r]
    periods = [1 / entry.rate for entry in series if entry.rate and entry.kind != "events"]
    stretch = (min(start for start, _ in ranges), max(stop for _, stop in ranges)) if ranges else None
    return stretch, max(periods, default=None)


def _shares(first: TimeRange | None, second: TimeRange | None) -> bool:
    """Return whether two ranges overlap; an unknown one counts as overlapping."""
    return first is None or second is None or min(first[1], second[1]) > max(first[0], second[0])


def _within(contents: Inventory, neural: list[NeuralSource], first: list[_Offer]) -> TimeRange | None:
    """Return the range to name in the config if an object has absurd times."""
    odd = {series.path for series in contents.series if series.trusted_range}
    if not any(source.trusted_range for source in neural) and not any(
        odd.intersection(o.config.sources) for o in first
    ):
        return None
    ranges = [stretch for stretch in [*map(trusted, neural), *(offer.covered for offer in first)] if stretch]
    return max(start for start, _ in ranges), min(stop for _, stop in ranges)


def _milliseconds(time: float) -> str:
    """Return a time rounded to the millisecond, without an exponent."""
    return f"{time:.3f}".rstrip("0").rstrip(".")


def _where(neural: list[NeuralSource], paths: str) -> list[str]:
    """Return the line that leaves out the units that the file calls bad, if all sources have the same query."""
    queries = {source.where for source in neural}
    query = queries.pop() if len(queries) == 1 else ""
    source = paths if len(neural) == 1 else f"[{paths}]"
    line = f"# neural: {{source: {source}, where: {quoted(query)}}}"
    return ["# Without the units that the file calls bad:", line] if query else []


def _parts(contents: Inventory) -> list[str]:
    """Return a line for each part that divides the recording; two mazes make two sessions."""
    shown = contents.automatic.parts[:MOST_MORE]
    lines = [f"# time: {{within: {quoted(part.within)}}}  # {part.seconds:.0f} s" for part in shown]
    return ["# Parts of the recording; each is a session of its own:", *lines] if lines else []
