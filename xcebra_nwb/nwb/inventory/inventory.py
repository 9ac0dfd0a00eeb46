"""List the contents of an NWB file without judging them.

An object that cannot be read is listed with its problem. Only a file that cannot be opened is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from xcebra_nwb.nwb.inventory import describe
from xcebra_nwb.nwb.inventory.foresight import Check, foresee, problem_text
from xcebra_nwb.nwb.inventory.models import Identity, Inventory, Remark
from xcebra_nwb.nwb.inventory.starting_config import starting_config
from xcebra_nwb.nwb.labels.from_events import is_events
from xcebra_nwb.nwb.neural import choice
from xcebra_nwb.nwb.neural.readers import Candidate, readers
from xcebra_nwb.nwb.reading.file import NwbFile, open_nwb, text
from xcebra_nwb.nwb.reading.foreign import Follow
from xcebra_nwb.nwb.reading.intervals import interval_tables
from xcebra_nwb.nwb.reading.source import Source

Description = TypeVar("Description")


def inventory(path: Source, follow: Follow = Follow.FOLDER, check: Check | None = None) -> Inventory:
    """Return the contents of an NWB file.

    Args:
        path: Path, address or open binary file.
        follow: Which links into other files are followed.
        check: A check of the session dataset that extraction makes too.

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
        foresight = foresee(file, check)
        sources = _each(candidates, lambda c: describe.neural_source(file, c, foresight), lambda c: c.path, problems)
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
            automatic=foresight.automatic,
            refusal=foresight.refusal,
        )
    return contents.model_copy(update={"config": starting_config(contents)})


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
            problems.append(Remark(path=path(item), what=problem_text(error).removeprefix(f"{path(item)}: ")))
    return descriptions


def _candidates(file: NwbFile, problems: list[Remark]) -> list[Candidate]:
    by_reader = _each(
        readers().items(), lambda entry: entry[1].find(file), lambda entry: f"reader {entry[0]}", problems
    )
    return [candidate for candidates in by_reader for candidate in candidates]


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
