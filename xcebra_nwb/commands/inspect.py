"""inspect: list the contents of an NWB file and the data that ``auto`` would take."""

from __future__ import annotations

from collections.abc import Iterator

from xcebra_nwb.archive import pinned
from xcebra_nwb.archive.pinned import Given, Pinned
from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.core.safe_text import printable, shorten
from xcebra_nwb.nwb.extraction.on_bins import in_words
from xcebra_nwb.nwb.inventory import inventory as nwb_inventory
from xcebra_nwb.nwb.inventory.models import (
    Automatic,
    Gap,
    IntervalTable,
    Inventory,
    LabelSeries,
    NeuralSource,
    TimeRange,
)
from xcebra_nwb.nwb.reading.foreign import Follow
from xcebra_nwb.training.design.split import trainable_split

LONGEST_LINE = 4000  # characters; a table of a hundred columns takes half of it


def inspect(source: Given, follow: Follow = Follow.FOLDER) -> Inventory:
    """Return the inventory of a local file, of a file at an address, or of an asset.

    Args:
        source: The recording.
        follow: Rule for links of a local file to other files.

    Raises:
        UsageError: There is no such file.
        Failure: Its server does not answer.
        Refusal: It cannot be opened as NWB 2.
    """
    with pinned.opened(source) as file:
        content = nwb_inventory.inventory(file, pinned.followed(source, follow), trainable_split)
    if isinstance(source, Pinned):
        content.file.path = source.session.source
    return content


def config_of(inventory: Inventory) -> str:
    """Return the config to start from.

    Raises:
        Refusal: ``auto`` would find nothing in the file.
    """
    if not inventory.config:
        refusal = inventory.refusal
        reason, remedy = (refusal.reason, refusal.remedy) if refusal else (f"{inventory.file.path}: no label", "")
        raise Refusal((refusal and refusal.code) or Code.NO_LABEL, reason, remedy)
    return inventory.config


def render(inventory: Inventory) -> str:
    """Return the inventory as text; ``*`` marks the data that ``auto`` takes."""
    return "\n".join(shorten(printable(line), LONGEST_LINE) for line in _lines(inventory))


def _lines(inventory: Inventory) -> Iterator[str]:
    yield from _identity(inventory)
    picked = {label.source.split("#")[0] for label in inventory.automatic.labels}
    yield from _section("Neural data", [_neural(source) for source in inventory.neural], "none found")
    yield from _section(
        "Series that could be labels", [_series(series, picked) for series in inventory.series], "none found"
    )
    yield from _section("Intervals", [_intervals(table, picked) for table in inventory.intervals], "none found")
    yield from _section("Gaps", [_gap(gap) for gap in inventory.gaps], "none over three sample periods")
    yield from _section("Suspicious", [f"  {remark.path}: {remark.what}" for remark in inventory.suspicious], "nothing")
    if inventory.problems:
        yield from _section("Not readable", [f"  {problem.path}: {problem.what}" for problem in inventory.problems], "")
    yield from _section("What auto takes", [f"  {line}" for line in inventory.automatic.choices], "nothing")
    if left := _left(inventory.automatic):
        yield from _section("What extraction would make of it", [f"  {line}" for line in left], "")
    if inventory.refusal:
        refusal, code = inventory.refusal, f" [{inventory.refusal.code}]" if inventory.refusal.code else ""
        yield from _section("Refused under auto", [f"  {refusal.reason}{code}", f"  {refusal.remedy}"], "")
    if inventory.config:
        yield from _section("A config to start from", [f"  {line}" for line in inventory.config.splitlines()], "")


def _identity(inventory: Inventory) -> Iterator[str]:
    file = inventory.file
    yield f"{file.path}  (NWB {file.nwb_version[:160]})"
    fields = {
        "identifier": file.identifier,
        "session": file.session_id,
        "subject": file.subject,
        "species": file.species,
        "start": file.session_start_time,
    }
    yield "  " + ", ".join(f"{name} {value[:160]}" for name, value in fields.items() if value)
    if file.description:
        yield f"  {file.description[:160]}"


def _left(automatic: Automatic) -> list[str]:
    """Return what extraction would leave of the data, in its own words."""
    if automatic.units is None or automatic.bins is None or automatic.bins_in_use is None:
        masks = [f"masked: {reason} ({masked} bins)" for reason, masked in automatic.masks.items()]
        return masks + ([automatic.not_looked_at] if automatic.not_looked_at else [])
    return in_words(automatic.units, automatic.bins_in_use, automatic.bins, automatic.masks)


def _section(title: str, lines: list[str], empty: str) -> Iterator[str]:
    yield ""
    yield title
    yield from lines or [f"  {empty}"]


def _neural(source: NeuralSource) -> str:
    spikes, sampled = f"{source.events} spikes", f"{source.kind} ({source.unit or 'no unit'})"
    parts = [f"{source.units} units", sampled if source.events is None else spikes]
    parts += [_shape(source.shape)] if source.shape is not None else []
    parts += [_rate(source.rate), _range(source.time_range)]
    parts += [f"{source.observed_intervals} obs_intervals"] if source.observed_intervals is not None else []
    parts += [f"columns {', '.join(source.columns)}"] if source.columns else []
    parts += [f"not for auto: {source.remark}"] if source.remark else []
    return f"{_mark(source.taken_by_auto)}{source.path}: {', '.join(part for part in parts if part)}"


def _series(series: LabelSeries, picked: set[str]) -> str:
    parts = [series.neurodata_type, _shape(series.shape), _rate(series.rate)]
    parts += [] if series.kind == "events" else [series.unit or "no unit"]
    parts += [_range(series.time_range), _becomes(series.kind)]
    return f"{_mark(series.path in picked)}{series.path}: {', '.join(part for part in parts if part)}"


def _becomes(kind: str) -> str:
    """Return the kind of label that a series becomes."""
    return {"": "cannot be a label", "events": "a label with derive: time_from"}.get(kind, kind)


def _intervals(table: IntervalTable, picked: set[str]) -> str:
    parts = [f"{table.rows} rows", _range(table.time_range), f"{table.covered:.6g} s inside"]
    kinds = {column: f"{column} ({kind})" for column, kind in table.kinds.items() if kind}
    parts += [f"columns {', '.join(kinds.get(column, column) for column in table.columns)}"]
    return f"{_mark(table.path in picked)}{table.path}: {', '.join(part for part in parts if part)}"


def _gap(gap: Gap) -> str:
    longest = f"the longest {gap.longest:.3g} s from {gap.longest_start:.6g} s"
    return f"  {gap.path}: {gap.count}, {gap.total:.6g} s together, {longest}"


def _mark(taken: bool) -> str:
    return "* " if taken else "  "


def _shape(shape: list[int]) -> str:
    return " x ".join(map(str, shape))


def _rate(rate: float | None) -> str:
    return "" if rate is None else f"{rate:.4g} Hz"


def _range(stretch: TimeRange | None) -> str:
    return "" if stretch is None else f"{stretch[0]:.6g} to {stretch[1]:.6g} s"
