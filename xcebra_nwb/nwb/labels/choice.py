"""Choose the labels that the config names, or those that ``auto`` picks."""

from __future__ import annotations

from collections.abc import Collection

from xcebra_nwb.core.config.labels import Auto
from xcebra_nwb.core.config.labels import Label as LabelConfig
from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.bins.grid import Range
from xcebra_nwb.nwb.labels.auto.choose import Choice, choose
from xcebra_nwb.nwb.labels.configured import configured_label, known_sources
from xcebra_nwb.nwb.labels.label import Label
from xcebra_nwb.nwb.labels.skipped import skipped_notes
from xcebra_nwb.nwb.reading.file import NwbFile, name_of
from xcebra_nwb.nwb.reading.intervals import interval_tables
from xcebra_nwb.nwb.reading.table import length


def choose_labels(
    file: NwbFile,
    labels: Auto | dict[str, LabelConfig],
    neural: Collection[str] = (),
    stretch: Range | None = None,
) -> tuple[list[Label], list[str]]:
    """Return the labels, read and cleaned, and the reasons for the choice.

    Args:
        file: The open file.
        labels: ``labels`` of the config.
        neural: Paths of the series that are used as neural activity.
        stretch: Start and stop of the neural data in s; None if it is unknown.

    Returns:
        The labels, and a line for every label that ``auto`` took or left out.

    Raises:
        UsageError: A configured source is not in the file, or does not fit its kind.
        Refusal: A label is empty or constant, or ``auto`` finds no behaviour.
    """
    if labels != "auto":
        return [configured_label(file, name, label) for name, label in labels.items()], []
    return labels_of(file, choose(file, neural, stretch))


def labels_of(file: NwbFile, choice: Choice) -> tuple[list[Label], list[str]]:
    """Return the labels that ``auto`` takes, and a line for each that it takes or leaves out.

    Args:
        file: The open file.
        choice: What ``auto`` takes.

    Raises:
        Refusal: ``auto`` finds no behaviour.
    """
    if not choice.labels:
        raise _nothing_found(file, choice)
    return choice.labels, choice.notes + skipped_notes(choice.reasons)


TELLING = {Code.TIMES_NOT_TRUSTED, Code.UNIT_NOT_TRUSTED, Code.DAMAGED, Code.LEADS_ELSEWHERE}
"""Refusals that say what is wrong with the only behaviour of a file."""


def _nothing_found(file: NwbFile, choice: Choice) -> Refusal:
    rows = {name_of(path): length(table) for path, table in interval_tables(file).items()}
    tables = ", ".join(f"{name} ({count} row{'s' * (count != 1)})" for name, count in rows.items())
    tried = "; ".join(note.split(" not taken: ", 1)[1] for note in choice.notes)
    others = known_sources(file)
    if tried:
        telling = next((r for r in choice.refused if isinstance(r, Refusal) and r.code in TELLING), None)
        return Refusal(
            telling.code if telling else Code.NO_LABEL,
            f"{file.path.name}: no behaviour that can be used: {tried[:400]}; intervals: {tables or 'none'}",
            telling.remedy
            if telling
            else "name another series in labels: {name: {source: path}}; `xcebra-nwb inspect` lists them",
        )
    return Refusal(
        Code.NO_LABEL,
        f"{file.path.name}: no behaviour found: no position, direction, velocity, other movement, choice or stimulus; "
        f"intervals: {tables or 'none'}",
        "add labels: {name: {source: " + others[0] + "}}, if that is behaviour; `xcebra-nwb inspect` lists all there is"
        if others
        else "the behaviour may be in another file of the session: take one that also has behaviour",
    )
