"""The tables of a benchmark: means over datasets with bootstrap intervals, and comparisons with rivals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from rich import box
from rich.table import Table
from rich.text import Text
from scipy.stats import bootstrap

from xcebra_nwb.benchmark.case import TRUE_INVERSE
from xcebra_nwb.core.safe_text import printable

KEYS = ["setting", "training", "regularizer", "label", "method"]  # what a row of the table is about
AUROC = ("row_auroc", "pooled_auroc", "trivial_auroc", "label_auroc")
EMBEDDING = ("r2", "label_r2", "label_knn", "decoding", "leak", "usable", "saturated")
AGREEMENT = ("raw_agreement", "agreement", "null_agreement", "shown_map")
CELLS = ("found", "power", "false", "auroc", "classical_power", "classical_auroc", "classical_rank")
DIMENSIONS = ("gain", "agreed")
TRAIN_SECONDS, MAP_SECONDS = "train_seconds", "map_seconds"  # CPU seconds of a job
METRICS = (*AUROC, *EMBEDDING, *AGREEMENT, *CELLS, *DIMENSIONS, TRAIN_SECONDS, MAP_SECONDS)
WORDS = ("verdict", "note")
RESAMPLES = 1000
CONFIDENCE = 0.95


def read_scores(files: Sequence[Path]) -> pd.DataFrame:
    """Return the scores of all jobs, in the order of the files.

    Args:
        files: CSV files with a row for each dataset, training, label and method.
    """
    parts = [pd.read_csv(file, keep_default_na=False, na_values=["nan"]) for file in files]
    return pd.concat([part for part in parts if len(part)], ignore_index=True)


def interval(values: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return the mean of the known values and its 95 % bootstrap interval.

    The interval is NaN for fewer than two values.

    Args:
        values: of any number, NaN where not known.

    Returns:
        The mean, and the 2.5th and the 97.5th percentile of the mean.

    >>> interval(np.array([0.5, 0.5, np.nan]))
    (0.5, 0.5, 0.5)
    """
    known = values[np.isfinite(values)]
    if len(known) < 2:
        return (float(known.mean()) if len(known) else np.nan), np.nan, np.nan
    limits = bootstrap(
        (known,),
        np.mean,
        n_resamples=RESAMPLES,
        confidence_level=CONFIDENCE,
        method="percentile",
        random_state=np.random.default_rng(0),
    ).confidence_interval
    return float(known.mean()), float(limits.low), float(limits.high)


def summary(scores: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each combination of :data:`KEYS`.

    Args:
        scores: of all jobs.

    Returns:
        For every metric its mean, ``_low`` and ``_high``. ``datasets`` counts the rows of a mean; ``verdict`` and
        ``note`` count the words, where there are any.
    """
    rows = []
    for key, group in scores.groupby(KEYS, sort=False):
        row = dict(zip(KEYS, key, strict=True)) | {"datasets": len(group)}
        for metric in (metric for metric in METRICS if metric in scores):
            row |= _with_interval(metric, group)
        row |= {word: _counted(group[word]) for word in WORDS if word in scores}
        rows.append(row)
    return pd.DataFrame(rows)


def _with_interval(metric: str, group: pd.DataFrame) -> dict[str, float]:
    """The mean and the interval over datasets; of a single dataset the interval that its own job found, if it did."""
    mean, low, high = interval(group[metric].to_numpy(np.float64))
    if len(group) == 1 and f"{metric}_low" in group:
        low, high = (float(group[f"{metric}_{end}"].iloc[0]) for end in ("low", "high"))
    return {metric: mean, f"{metric}_low": low, f"{metric}_high": high}


def _counted(words: pd.Series) -> str:
    """What is said how often, most often first."""
    counts = words[words.notna() & (words != "")].value_counts()
    return ", ".join(f"{word} {count}" for word, count in counts.items())


def rivals(scores: pd.DataFrame, best: Mapping[str, object], metrics: Sequence[str]) -> pd.DataFrame:
    """Return on how many datasets each rival scores lower than the best method.

    Rows of the same setting, label and dataset are compared.

    Args:
        scores: of all jobs.
        best: values of the columns that identify the best method.
        metrics: columns to compare; one that no job wrote is left out.

    Returns:
        A row for each rival: ``<metric>_lower`` counts the datasets on which it is lower, ``<metric>_equal`` those on
        which both score the same, ``datasets`` all.
    """
    same = ["setting", "label", "dataset"]
    scores = scores[scores["training"] != TRUE_INVERSE]
    metrics = [metric for metric in metrics if metric in scores]
    is_best = np.logical_and.reduce([scores[column] == value for column, value in best.items()])
    pairs = scores[~is_best].merge(scores[is_best][[*same, *metrics]], on=same, suffixes=("", "_best"))
    rows = []
    for key, group in pairs.groupby(KEYS, sort=False):
        row = dict(zip(KEYS, key, strict=True)) | {"datasets": len(group)}
        for metric in metrics:
            row[f"{metric}_lower"] = int((group[metric] < group[f"{metric}_best"]).sum())
            row[f"{metric}_equal"] = int((group[metric] == group[f"{metric}_best"]).sum())
        rows.append(row)
    return pd.DataFrame(rows)


def render(table: pd.DataFrame) -> Table:
    """Return a summary for a terminal or for a Markdown file."""
    keys = [key for key in KEYS if table[key].astype(str).nunique() > 1 or key == "method"]
    metrics = [metric for metric in METRICS if metric in table and table[metric].notna().any()]
    extra = [word for word in WORDS if word in table and table[word].ne("").any()]
    shown = Table(*keys, *(m.replace("_", " ") for m in metrics), *extra, box=box.MARKDOWN)
    for row in table.to_dict("records"):
        cells = [_cell(row[m], row[f"{m}_low"], row[f"{m}_high"]) for m in metrics]
        shown.add_row(*(_text(row[key]) for key in keys), *cells, *(_text(row[column]) for column in extra))
    return shown


def _text(value: object) -> Text:
    """A text that neither a terminal nor Markdown takes for more than a text."""
    return Text(printable(value).replace("|", r"\|"))


def _cell(mean: float, low: float, high: float) -> str:
    if not np.isfinite(mean):
        return "–"
    return f"{mean:.3f}" + (f" [{low:.3f}, {high:.3f}]" if np.isfinite(low) and low < high else "")
