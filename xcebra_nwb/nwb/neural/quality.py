"""Find the columns that say which units are good, count the others, and propose the query that leaves them out."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

import h5py
import numpy as np
import pandas as pd

from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.hdf5.scan import UNREADABLE
from xcebra_nwb.nwb.neural.electrodes import plain
from xcebra_nwb.nwb.neural.rois import linked
from xcebra_nwb.nwb.neural.unit_selection import FEWEST_UNITS
from xcebra_nwb.nwb.neural.unit_table import table_columns
from xcebra_nwb.nwb.reading.file import NwbFile, attribute
from xcebra_nwb.nwb.reading.kinds import is_kind
from xcebra_nwb.nwb.reading.query import names
from xcebra_nwb.nwb.reading.series import columns
from xcebra_nwb.nwb.reading.spikes import units_tables

GOOD = {
    *("good", "su", "sua", "single", "single unit", "singleunit", "well isolated", "isolated", "accept", "accepted"),
    *("pass", "passed", "ok", "excellent", "very good", "great", "best", "yes", "true", "cell", "neuron", "clean"),
}
BAD = {
    *("noise", "noisy", "bad", "artifact", "artefact", "artifacts", "artefacts", "reject", "rejected", "garbage"),
    *("junk", "poor", "unusable", "fail", "failed", "no", "false", "not a cell", "non cell", "noncell", "not cell"),
    *("non soma", "nonsoma", "contaminated", "merged", "discard", "discarded", "exclude", "excluded", "trash"),
}
MULTI = {"mu", "mua", "multi", "multi unit", "multiunit", "multi units", "multi unit activity"}
OPEN = {"", "unsorted", "unlabeled", "unlabelled", "unknown", "nan", "none", "n/a", "na", "unclassified"}

# Kinds of names, in lower case without signs.
JUDGED = re.compile(
    r"(unit|cluster|clu|sorting|spike|cell|roi|isolation|manual|curated|curation|final)*"
    r"(quality|curation)(label|class|text|annotations?)?"
    r"|(manual|curated|curation|phy|cluster|clu|unit|sorting)*"
    r"(group|label|annotations?|class|classification|judge?ment|status)"
    r"|decoderlabel|bcunittype|unittype|(default)?qc(status|label)?"
)
AUTOMATIC = re.compile(r"(ks|kilosort)\d*(label|group|good)")
POSITIVE = re.compile(
    r"(is|was)?(accepted|accept|good|cell|neuron|soma|single|singleunit|sua|valid|curated|passing|isolated|included|keep|kept)"
    r"(unit|roi|cell|cluster)?"
    r"|pass(es|ed|ing)?(qc|quality|all)?|(default)?(qc|quality)(pass|passed|ok|good|flag)?"
)
NEGATIVE = re.compile(
    r"(is|was)?(rejected|reject|bad|noise|artifact|artefact|excluded|exclude|discarded|mua|multiunit|contaminated|garbage"
    r"|invalid)(unit|roi|cell|cluster)?"
)
SCORE = re.compile(r"ibl(quality)?(score|label)|iblquality|label")
KINDS = (JUDGED, AUTOMATIC, POSITIVE, NEGATIVE, SCORE)
THIRDS = np.array([0, 1 / 3, 2 / 3, 1])
LEGEND = re.compile(
    r"(-?\d{1,4})\s{0,3}(?:[=:]|is|means)?\s{0,3}['\"]?"
    r"(noise|mua|multi-?unit|good|sua|single[ -]?unit|unsorted|bad)",
    re.IGNORECASE,
)
PLAIN_NAME = re.compile(r"[^\W\d]\w*")
LONGEST = 500  # characters of a name or a description that are asked
MOST_SHOWN = 3  # words of a column that a remark counts


@dataclass(frozen=True)
class Flag:
    """A column that says which units are good.

    Attributes:
        column: Its name.
        query: The query that leaves out the other units.
        good: Which units are good, shape (unit,).
        found: What the other units are, in words, such as "quality noise".
    """

    column: str
    query: str
    good: np.ndarray
    found: str

    @property
    def remark(self) -> str:
        """The number of units that are not good, and how to leave them out."""
        bad = int(np.sum(~self.good))
        return f"{bad} of {len(self.good)} units have {self.found}; neural.where leaves them out: {self.query}"


def where_line(file: NwbFile, path: str) -> str | None:
    """Return the query that leaves out the bad units of a source, for ``neural.where``; None if there is none.

    A query that leaves too few units for a population is not proposed.

    Args:
        file: The open file.
        path: Path of the source.
    """
    return next((flag.query for flag in flags(file, path) if flag.good.sum() >= FEWEST_UNITS), None)


def remarks(file: NwbFile, path: str, where: str = "") -> list[str]:
    """Return lines on units that a column of the file calls bad, unless the query asks for that column.

    Args:
        file: The open file.
        path: Path of the source.
        where: ``neural.where`` of the config.
    """
    found = flags(file, path)
    asked = names(where) if where and found else set()
    return [f"{path}: {flag.remark}" for flag in found if flag.column not in asked]


def flags(file: NwbFile, path: str) -> list[Flag]:
    """Return the columns of a source that call some of its units bad and others good, the most reliable first.

    Args:
        file: The open file.
        path: Path of the source: a units table or a RoiResponseSeries.
    """
    try:
        table, frame = _table(file, path)
    except (*UNREADABLE, Refusal):
        return []  # reading the units says what is wrong
    if table is None:
        return []
    found = []
    for name in map(str, frame.columns):
        values = frame[name].to_numpy()
        if len(values) and (judged := _judged(table, name, values)) is not None:
            rank, flag = judged
            if flag.good.any() and not flag.good.all():
                found.append((rank, flag))
    ordered = [flag for _, flag in sorted(found, key=lambda item: item[0])]
    return [flag for place, flag in enumerate(ordered) if not any(_same(flag, other) for other in ordered[:place])]


def _same(flag: Flag, other: Flag) -> bool:
    """Return whether two columns of one kind say the same, as Accepted and Rejected do."""
    return np.array_equal(flag.good, other.good) and bool(NEGATIVE.fullmatch(plain(flag.column)))


def _table(file: NwbFile, path: str) -> tuple[h5py.Group | None, pd.DataFrame]:
    group = file.groups.get(path)
    if group is None:
        return None, pd.DataFrame()
    if path in units_tables(file):
        return group, table_columns(group, _is_flag)
    if not is_kind(group, "RoiResponseSeries"):
        return None, pd.DataFrame()
    rois = linked(file, group, columns(group))
    if rois.table is None or rois.rows is None:
        return None, pd.DataFrame()
    return rois.table, table_columns(rois.table, _is_flag).iloc[rois.rows].reset_index(drop=True)


def _is_flag(name: str) -> bool:
    called = plain(name[:LONGEST])
    return any(kind.fullmatch(called) for kind in KINDS)


def _judged(table: h5py.Group, name: str, values: np.ndarray) -> tuple[int, Flag] | None:
    """Return what a column says of the units, with its rank among such columns (0: the best)."""
    kind = plain(name)
    if values.dtype.kind in "OSU":
        rank = (
            0 if JUDGED.fullmatch(kind) else 1 if POSITIVE.fullmatch(kind) else 3 if AUTOMATIC.fullmatch(kind) else None
        )
        return None if rank is None else _of_words(rank, name, values, sure="quality" in kind or rank > 0)
    if values.dtype.kind not in "biuf":
        return None
    finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
    if not len(finite):
        return None
    if set(np.unique(finite).tolist()) <= {0, 1} and (POSITIVE.fullmatch(kind) or NEGATIVE.fullmatch(kind)):
        return _of_truth(name, values, positive=bool(POSITIVE.fullmatch(kind)))
    if SCORE.fullmatch(kind) and _are_thirds(finite):
        return 2, Flag(name, f"{_written(name)} > 0.99", values > 0.99, f"{name} under 1")
    meanings = _legend(attribute(table[name], "description")) if name in table else {}
    if meanings and set(finite.tolist()) <= set(meanings):
        words = np.array([meanings.get(value, "") for value in values.tolist()], dtype=object)
        return _of_codes(name, values, words)
    return None


def _are_thirds(values: np.ndarray) -> bool:
    """Return whether values are shares of three criteria; 0 and 1 alone could be any two classes."""
    shares = np.isclose(values[:, None], THIRDS, atol=0.01)  # (unit, share)
    return bool(shares.any(axis=1).all() and shares[:, 1:3].any())


def _of_truth(name: str, values: np.ndarray, positive: bool) -> tuple[int, Flag]:
    right, wrong = (positive, not positive) if values.dtype.kind == "b" else (int(positive), int(not positive))
    flag = Flag(name, f"{_written(name)} == {right}", values == right, f"{name} {wrong}")
    return (1 if positive else 2), flag


def _of_words(rank: int, name: str, values: np.ndarray, sure: bool) -> tuple[int, Flag] | None:
    """Return what a column of texts says, None if its words are not about quality."""
    texts = [str(value) for value in values.tolist()]
    count = Counter(texts)
    words = {text: _word(text) for text in count}
    known = [text for text, word in words.items() if word in GOOD | BAD | MULTI]
    others = [text for text, word in words.items() if word not in GOOD | BAD | MULTI | OPEN]
    if len(count) > 20 or not known or (others and not sure):
        return None
    right = [text for text in known if words[text] in GOOD]
    if not right:  # nothing is called good: what is not called bad stays
        bad = [text for text in known if words[text] in BAD]
        good = np.array([text not in bad for text in texts])
        return rank, Flag(
            name, f"{_written(name)} not in [{', '.join(map(_quoted, bad))}]", good, _counted(name, bad, count)
        )
    keep = [*right, *others]
    good = np.isin(texts, keep)
    query = f"== {_quoted(keep[0])}" if len(keep) == 1 else f"in [{', '.join(map(_quoted, keep))}]"
    return rank, Flag(
        name, f"{_written(name)} {query}", good, _counted(name, [t for t in count if t not in keep], count)
    )


def _of_codes(name: str, values: np.ndarray, words: np.ndarray) -> tuple[int, Flag]:
    good = np.array([word in GOOD for word in words])
    codes = sorted({float(value) for value in values[good].tolist()})
    listed = ", ".join(f"{code:g}" for code in codes)
    query = f"== {listed}" if len(codes) == 1 else f"in [{listed}]"
    count = Counter(words.tolist())
    bad = [word for word in count if word not in GOOD]
    return 0, Flag(name, f"{_written(name)} {query}", good, _counted(name, bad, count))


def _counted(name: str, bad: list[str], count: Counter[str]) -> str:
    bad = sorted(bad, key=lambda text: -count[text])
    shown = [f"{text.strip() or 'nothing'}" for text in bad[:MOST_SHOWN]]
    if len(bad) > 1:
        shown = [f"{word} ({count[text]})" for word, text in zip(shown, bad, strict=False)]
    return f"{name} {', '.join(shown)}" + (", ..." if len(bad) > MOST_SHOWN else "")


def _legend(description: str) -> dict[float, str]:
    """Return the meaning of each code that a description gives.

    >>> _legend("0 = noise, 1 mua, 2 good")
    {0.0: 'noise', 1.0: 'mua', 2.0: 'good'}
    """
    return {float(code): _word(word) for code, word in LEGEND.findall(description[:LONGEST])}


def _word(text: str) -> str:
    return " ".join(re.sub(r"[\W_]+" if text.strip().lower() != "n/a" else r"\s", " ", text).split()).lower()


def _written(name: str) -> str:
    return name if PLAIN_NAME.fullmatch(name) else f"`{name}`"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
