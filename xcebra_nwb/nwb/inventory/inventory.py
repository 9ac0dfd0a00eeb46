"""List the contents of an NWB file without judging them.

An object that cannot be read is listed with its problem. Only a file that cannot be opened is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import numpy as np

from xcebra_nwb.core.config.schema import validate
from xcebra_nwb.core.errors import XcebraError
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.inventory import describe
from xcebra_nwb.nwb.inventory.models import Automatic, Identity, Inventory, PickedLabel, Refused, Remark
from xcebra_nwb.nwb.inventory.predicted_refusal import predicted_refusal
from xcebra_nwb.nwb.inventory.starting_config import starting_config
from xcebra_nwb.nwb.labels.choice import choose_labels
from xcebra_nwb.nwb.labels.from_events import is_events
from xcebra_nwb.nwb.neural import choice
from xcebra_nwb.nwb.neural.readers import Candidate, readers
from xcebra_nwb.nwb.reading.file import NwbFile, open_nwb, text, with_lost_links
from xcebra_nwb.nwb.reading.foreign import Follow
from xcebra_nwb.nwb.reading.intervals import interval_tables
from xcebra_nwb.nwb.reading.source import Source

Description = TypeVar("Description")


def inventory(path: Source, follow: Follow = Follow.FOLDER) -> Inventory:
    """Return the contents of an NWB file.

    Args:
        path: Path, address or open binary file.
        follow: Which links into other files are followed.

    Raises:
        UsageError: There is no such file.
        Refusal: The file cannot be opened as NWB 2.
    """
    with open_nwb(path, follow) as file:
        problems = [Remark(path=p, what=what) for p, what in file.problems.items()]
        candidates = _candidates(file, problems)
        taken = {p for candidate in candidates for p in choice.matching(file, candidate.path)}
        series = [path for path in file.series if path not in taken]
        events = [path for path, group in file.groups.items() if path not in file.series and is_events(group)]
        automatic, refusal, label_times = _automatic(file)
        sources = _each(candidates, lambda c: describe.neural_source(file, c, automatic), lambda c: c.path, problems)
        labels = _each(series, lambda p: describe.label_series(file, p), str, problems)
        labels += _each(events, lambda p: describe.event_list(file, p), str, problems)
        tables = _each(interval_tables(file), lambda p: describe.interval_table(file, p), str, problems)
        suspicious = [entry[2] for entry in [*sources, *labels]] + [entry[1] for entry in tables]
        elsewhere = [Remark(path=lead.path, what=lead.how) for lead in file.leads]
        contents = Inventory(
            file=_identity(file),
            neural=[source for source, _, _ in sources],
            series=[label for label, _, _ in labels],
            intervals=[table for table, _ in tables],
            gaps=[gap for _, gaps, _ in [*sources, *labels] for gap in gaps],
            suspicious=elsewhere + [remark for remarks in suspicious for remark in remarks],
            problems=problems,
            automatic=automatic,
            refusal=refusal,
        )
        predicted = None if refusal else _predicted(file, contents, candidates, label_times)
    contents = contents.model_copy(update={"refusal": refusal or predicted})
    return contents.model_copy(update={"config": starting_config(contents)})


def _predicted(
    file: NwbFile, contents: Inventory, candidates: list[Candidate], label_times: dict[str, np.ndarray]
) -> Refused | None:
    """Return the refusal to expect, once the times of the neural data are read."""
    described = {source.path: source for source in contents.neural}
    taken = [candidate for candidate in candidates if candidate.path in contents.automatic.neural]
    try:
        for candidate in taken:
            if candidate.path not in described:  # it could not be described, and cannot be read either
                describe.neural_source(file, candidate, contents.automatic)
        clocks = {c.path: describe.neural_clock(file, described[c.path]) for c in taken}
    except Exception as error:
        return _refused(error)
    return predicted_refusal(contents, clocks, label_times)


Item = TypeVar("Item")


def _each(
    items: Iterable[Item],
    describe_item: Callable[[Item], Description],
    path: Callable[[Item], str],
    problems: list[Remark],
) -> list[Description]:
    """Return the description of each item; problems are added to ``problems``."""
    descriptions: list[Description] = []
    for item in items:
        try:
            descriptions.append(describe_item(item))
        except Exception as error:  # a problem with one object must not hide the others
            problems.append(Remark(path=path(item), what=_problem(error).removeprefix(f"{path(item)}: ")))
    return descriptions


def _candidates(file: NwbFile, problems: list[Remark]) -> list[Candidate]:
    by_reader = _each(
        readers().items(), lambda entry: entry[1].find(file), lambda entry: f"reader {entry[0]}", problems
    )
    return [candidate for candidates in by_reader for candidate in candidates]


def _automatic(file: NwbFile) -> tuple[Automatic, Refused | None, dict[str, np.ndarray]]:
    """Return the selection of ``auto``, the first reason for a refusal, and the times of each label in s."""
    automatic, taken = Automatic(), []
    refusals: list[Exception] = []
    times: dict[str, np.ndarray] = {}
    try:
        sources, notes = choice.choose(file, validate({}).neural)
        taken = [path for source in sources for path in source.paths]
        automatic.neural, automatic.choices = [source.path for source in sources], notes
    except Exception as error:  # reported like any other reason, so that an inventory is always complete
        refusals.append(with_lost_links(file, error))
    try:
        labels, notes = choose_labels(file, "auto", taken)
        automatic.labels = [PickedLabel(name=label.name, source=label.source, kind=label.kind) for label in labels]
        times = {label.source: label.times for label in labels}
        automatic.choices += notes + [note for label in labels for note in label.notes]
    except Exception as error:
        refusals.append(with_lost_links(file, error))
    return automatic, _refused(refusals[0]) if refusals else None, times


def _refused(error: Exception) -> Refused:
    if isinstance(error, XcebraError):
        return Refused(code=getattr(error, "code", None), reason=error.message, remedy=error.remedy)
    return Refused(
        code=Code.UNREADABLE_LAYOUT,
        reason=f"unreadable: {_problem(error)}",
        remedy="name neural.source and labels in the config",
    )


def _problem(error: Exception) -> str:
    return error.message if isinstance(error, XcebraError) else f"{type(error).__name__}: {error}"


def _identity(file: NwbFile) -> Identity:
    return Identity(
        path=file.source_name,
        nwb_version=text(file.h5.attrs.get("nwb_version", "")),
        identifier=file.scalar("/identifier"),
        session_id=file.scalar("/general/session_id"),
        subject=file.scalar("/general/subject/subject_id"),
        species=file.scalar("/general/subject/species"),
        session_start_time=file.scalar("/session_start_time"),
        description=file.scalar("/session_description"),
    )
