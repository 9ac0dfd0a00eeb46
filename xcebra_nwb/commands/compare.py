"""compare: the atlases of finished runs -> shares and effect sizes over sessions, as table and figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from rich.table import Table
from rich.text import Text

from xcebra_nwb.assess.over_sessions.comparison import MAY, MAY_NOT, Comparison
from xcebra_nwb.assess.over_sessions.comparison import compare as compared_of
from xcebra_nwb.assess.over_sessions.estimates import By
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.files import write_json
from xcebra_nwb.core.safe_text import printable
from xcebra_nwb.report import atlas
from xcebra_nwb.report.forest import (
    NAMES,
    forest_rows,
    interval_words,
    part_name,
    records,
    share_words,
    spread_words,
)
from xcebra_nwb.report.style import number

FILE = "atlas.parquet"


def compare(folders: Sequence[Path], by: By, labels: Sequence[str] = (), apart: bool = False) -> Comparison:
    """Return the comparison over the sessions of all runs.

    Args:
        folders: of runs, each with its atlas.
        by: region, subject or label.
        labels: the labels to compare; all without any.
        apart: whether subjects and sessions of one name in two folders are different ones.

    Raises:
        UsageError: A folder has no atlas, a label is nowhere, or a session is in two folders.
    """
    loaded = [atlas.load(folder / FILE) for folder in folders]
    parts = [part.assign(folder=str(number)) for number, (part, _) in enumerate(loaded)]
    joined = pd.concat(parts, ignore_index=True).astype(dict.fromkeys(atlas.TEXT, str))
    if apart:
        for name in ("session", "subject"):
            joined[name] = joined["folder"] + ":" + joined[name]
    else:
        _check_apart(joined, folders)
    known = set(joined["label"])
    for label in labels:
        if label not in known:
            raise UsageError(f"no label {label!r}", f"there are {', '.join(sorted(map(printable, known))) or 'none'}")
    chosen = joined[joined["label"].isin(list(labels))] if labels else joined
    return compared_of(chosen, by, loaded[0][1])


def _check_apart(joined: pd.DataFrame, folders: Sequence[Path]) -> None:
    """Refuse a session that two folders hold: it would count twice."""
    of = joined[["session", "folder"]].drop_duplicates()
    twice = of[of["session"].duplicated()]
    if len(twice):
        session = str(twice["session"].iloc[0])
        found = [str(folders[int(number)]) for number in of.loc[of["session"] == session, "folder"]]
        raise UsageError(
            f"{session} is in {' and in '.join(found)}, and would count twice",
            "leave one folder out, or give --apart if they are recordings of different subjects",
        )


def save(compared: Comparison, path: Path) -> None:
    """Write the estimates as CSV or JSON, by the ending of the file; JSON has the reproducibility too.

    Raises:
        UsageError: The ending is another one.
    """
    if path.suffix.lower() == ".csv":
        atlas.save_csv(forest_rows(compared).drop(columns="part"), path)
    elif path.suffix.lower() == ".json":
        write_json(path, as_json(compared))
    else:
        raise UsageError(f"{path}: a table ends in .csv or .json", "rename it")


def as_json(compared: Comparison) -> dict[str, Any]:
    """Return the comparison for JSON: estimates, reproducibility, and what may be compared."""
    return {
        "by": compared.by,
        "estimates": forest_rows(compared).drop(columns="part").to_dict("records"),
        "reproducibility": compared.returns.to_dict("records"),
        "may_be_compared": list(MAY),
        "may_not_be_compared": list(MAY_NOT),
    }


def tables(compared: Comparison) -> list[Table]:
    """Return the estimates and the reproducibility for a terminal."""
    part = [] if compared.by == "label" else [compared.by]
    heads = ["label", *part, "share of units", "carriers", "sessions", "subjects", "interval over", "supported"]
    estimates = Table(*heads, "information", pad_edge=False)
    for row in records(forest_rows(compared)):
        name = [] if compared.by == "label" else ["all units" if row.total else part_name(row, compared.by)]
        told = interval_words(row.information, row.information_low, row.information_high)
        cells = [
            *(row.label, *name, share_words(row.share, row.share_low, row.share_high)),
            *(f"{row.carriers:,} of {row.units:,}", f"{row.sessions:,}", f"{row.subjects:,}", row.over),
            *(f"{row.supported:,}", f"{told} {NAMES.get(row.measure, row.measure)}"),
        ]
        estimates.add_row(*(Text(printable(cell)) for cell in cells), style="" if row.believed else "dim")
    again = Table("label", "between", "profile over regions", "p", "spread, points", "p", "note", pad_edge=False)
    for row in records(compared.returns):
        cells = [
            *(row.label, row.between, interval_words(row.profile, row.profile_low, row.profile_high)),
            *(number(row.profile_p, 2), spread_words(row.spread, row.spread_low, row.spread_high)),
            *(number(row.spread_p, 2), row.reason),
        ]
        again.add_row(*(Text(printable(cell)) for cell in cells))
    return [estimates, again]
