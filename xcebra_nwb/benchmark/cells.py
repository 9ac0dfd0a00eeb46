"""Recordings with known cells: which measure finds the units that carry a label, and how many others?

A unit counts as tuned by the classical test of its marginal tuning. Where a table ``cells.tsv`` beside the recordings
says which units are known to carry a label, the measures are also compared with that. The table has the columns
``file``, ``label``, ``column`` (of the units table) and ``carriers`` (values of that column, with commas between them).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.stats import binomtest, rankdata

from xcebra_nwb.attribution.null_test import false_discovery_rate
from xcebra_nwb.benchmark.case import DEFAULTS, USUAL, Case, JobContext, judgement
from xcebra_nwb.benchmark.marginal_tuning import MarginalTuning, marginal_tuning
from xcebra_nwb.benchmark.metrics import Score
from xcebra_nwb.benchmark.recording import DESIGNS, SESSION, Design, shift_labels
from xcebra_nwb.benchmark.table import CONFIDENCE, RESAMPLES
from xcebra_nwb.core.carriers import LEVEL, carriers
from xcebra_nwb.core.config import schema
from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.errors import Refusal, UsageError
from xcebra_nwb.core.files import read_json
from xcebra_nwb.core.hdf5.scan import check_self_contained
from xcebra_nwb.core.netcdf import load_dataset
from xcebra_nwb.core.session import labels as session_labels
from xcebra_nwb.core.session import load, save

TRUTH = "cells.tsv"
COLUMNS = ("file", "label", "column", "carriers")
INFORMATION = "information"
LABELS = ("true labels", "shifted labels")  # in the column of trainings
BEST = {"training": LABELS[0], "method": INFORMATION}
COMPARED = ("auroc", "classical_auroc", "classical_rank")
Floats = NDArray[np.float64]
Truth = NDArray[np.bool_]
REDUCED = Design(DEFAULTS, USUAL.seeds, USUAL.nulls)


def cases(size: str, path: Path) -> list[Case]:
    """Return two jobs for each recording: with its labels, and with labels that mean nothing.

    Args:
        size: quick, reduced or full.
        path: an NWB file, or a folder of NWB files.

    Raises:
        UsageError: there is no such file or folder, it has no NWB file, two names are too alike, or the table of known
            cells lacks a column or names a file that is not there.
    """
    files = sorted(path.glob("*.nwb")) if path.is_dir() else [path]
    if not files or not files[0].exists():
        raise UsageError(f"{path}: no NWB file", "name an NWB file, or a folder of NWB files")
    known = known_cells(files[0].parent / TRUTH)
    design = REDUCED if size == "reduced" else DESIGNS[size]
    training = design.budget.training(0.1, seeds=design.seeds, nulls=design.nulls)
    config = schema.validate({"training": training})
    jobs = [_case(file, known, config, labels) for file in files for labels in LABELS]
    if len({job.name for job in jobs}) < len(jobs):
        raise UsageError(f"{path}: names of files that differ only in signs", "rename one of them")
    return jobs


def _case(file: Path, known: pd.DataFrame, config: Config, labels: str) -> Case:
    columns = {"setting": file.stem, "dataset": 0, "training": labels, "regularizer": 0.1}
    name = re.sub(r"[^\w-]", "-", f"{file.stem}-{labels.partition(' ')[0]}")
    return Case(name, columns, partial(_work, file, known[known["file"] == file.name], config, labels))


def known_cells(path: Path) -> pd.DataFrame:
    """Return the table of known cells, with the columns :data:`COLUMNS`; empty if there is no such file.

    Raises:
        UsageError: a column is missing, or a file that it names.
    """
    if not path.exists():
        return pd.DataFrame(columns=list(COLUMNS))
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    if missing := [name for name in COLUMNS if name not in table]:
        raise UsageError(f"{path}: no column {', '.join(missing)}", f"columns: {', '.join(COLUMNS)}")
    if strange := sorted(set(table["file"]) - {file.name for file in path.parent.glob("*.nwb")}):
        raise UsageError(f"{path}: no file {', '.join(strange)}", "the files lie beside the table")
    return table


def _work(file: Path, known: pd.DataFrame, config: Config, labels: str, context: JobContext) -> list[Score]:
    try:
        context.commands.extract(file, context.directory, config, SESSION)
    except Refusal as refusal:
        return [{"label": "none", "method": "none", "verdict": "refused", "note": refusal.code.value}]
    session = load(context.directory / "session.nc")
    if strange := sorted(set(known["label"]) - set(session_labels(session))):
        there = f"labels: {', '.join(session_labels(session))}"
        raise UsageError(f"{TRUTH}: {file.name} has no label {', '.join(strange)}", there)
    if labels != LABELS[0]:
        session = shift_labels(session)
    save(session, context.directory / "session.nc")
    for command in (context.commands.train, context.commands.attribute):
        command(context.directory, config, context.threads)
    context.commands.assess(context.directory)
    attribution = load_dataset(context.directory / "attribution.nc")
    assessed = read_json(context.directory / "assessment.json")["labels"]
    tuning = marginal_tuning(session, np.random.default_rng(config.random_seed))
    rows = []
    for name in (str(label) for label in attribution["label"].values):
        about = {"label": name} | judgement(assessed[name])
        truth = _known_carriers(file, known[known["label"] == name], session) if labels == LABELS[0] else None
        measures = measures_of(attribution.sel(label=name))
        rows += [about | {"method": method} | scores(m, tuning[name], truth) for method, m in measures.items()]
    return rows


def _known_carriers(file: Path, known: pd.DataFrame, session: xr.Dataset) -> Truth | None:
    """Return which units (unit,) are known to carry a label; None if the table does not say."""
    if known.empty:
        return None
    row = known.iloc[0]
    with h5py.File(file) as opened:
        check_self_contained(opened, str(file))
        column = opened.get(f"units/{row['column']}")
        if not isinstance(column, h5py.Dataset) or column.shape != opened["units/id"].shape:
            why = f"{TRUTH}: the units of {file.name} have no column {row['column']} of one value each"
            raise UsageError(why, f"columns: {', '.join(opened.get('units', ()))}")
        texts = np.array([_text(value) for value in column[()]])
    return np.isin(texts[session["row"].values], [text.strip() for text in row["carriers"].split(",")])


def _text(value: object) -> str:
    """Return a value of the units table as it stands in the table of known cells."""
    if isinstance(value, bytes):
        return value.decode()
    return f"{value:g}" if isinstance(value, int | float | np.number) else str(value)


@dataclass(frozen=True, eq=False)
class Measure:
    """The value of every unit by one measure, (unit,), and which units it finds; None if it is no test."""

    values: Floats
    found: Truth | None = None


def measures_of(attribution: xr.Dataset) -> dict[str, Measure]:
    """Return the information, the share against its nulls, and the map of every method, for one label.

    Args:
        attribution: attribution.nc of one label.
    """
    ordered = attribution.transpose("map_method", "unit", ...)
    methods = [str(method) for method in ordered["map_method"].values]
    share = Measure(ordered["z"].values, ordered["q_value"].values <= LEVEL)
    return {
        INFORMATION: Measure(ordered["information"].values, carriers(ordered).values),
        f"share (z of {methods[0]})": share,
        **{method: Measure(ordered["attribution"].values[number]) for number, method in enumerate(methods)},
    }


def scores(measure: Measure, tuning: MarginalTuning, truth: Truth | None) -> Score:
    """Return the scores of one measure, with intervals over units.

    Args:
        measure: values and finds.
        tuning: the classical test.
        truth: the units that are known to carry the label, if they are known.

    Returns:
        ``found``: share of all units. ``power`` and ``false``: share of the known carriers and of the others.
        ``classical_power``: share of the classically tuned units. ``auroc`` and ``classical_auroc``: against both
        truths. ``classical_rank``: Spearman's correlation with the classical strength of tuning.
    """
    tuned = false_discovery_rate(tuning.p_value) <= LEVEL
    score: Score = {"tuned": int(tuned.sum()), "units": len(tuned)}
    if measure.found is not None:
        score |= _share("found", measure.found) | _share("classical_power", measure.found[tuned])
        if truth is not None:
            score |= _share("power", measure.found[truth]) | _share("false", measure.found[~truth])
    if truth is not None:
        score |= _over_units("auroc", _auroc, measure.values, truth)
    score |= _over_units("classical_auroc", _auroc, measure.values, tuned)
    return score | _over_units("classical_rank", _rank_correlation, measure.values, tuning.strength)


def _share(name: str, found: Truth) -> Score:
    """A share of units with Wilson's interval."""
    if not len(found):
        return {}
    limits = binomtest(int(found.sum()), len(found)).proportion_ci(CONFIDENCE, "wilson")
    return {name: float(found.mean()), f"{name}_low": float(limits.low), f"{name}_high": float(limits.high)}


def _over_units(name: str, statistic: Callable[[Floats, NDArray], Floats], values: Floats, against: NDArray) -> Score:
    """A statistic of two columns over units, with its interval over redrawn units (bootstrap, percentiles)."""
    known = np.isfinite(values)
    values, against = values[known], against[known]
    value = float(statistic(values, against))
    if not np.isfinite(value):
        return {}
    drawn = np.random.default_rng(0).integers(0, len(values), (RESAMPLES, len(values)))
    ends = 50 * (1 + CONFIDENCE * np.array([-1, 1]))
    low, high = np.nanpercentile(statistic(values[drawn], against[drawn]), ends)
    return {name: value, f"{name}_low": float(low), f"{name}_high": float(high)}


def _auroc(values: Floats, truth: NDArray) -> Floats:
    """The area under the ROC curve over the last axis, from ranks; NaN if the truth has one value only."""
    count = truth.sum(axis=-1)
    above = (rankdata(values, axis=-1) * truth).sum(axis=-1) - count * (count + 1) / 2
    return _ratio(above, count * (truth.shape[-1] - count))


def _rank_correlation(values: Floats, against: NDArray) -> Floats:
    """Spearman's correlation over the last axis; NaN if a column has one value only."""
    x, y = (ranks - ranks.mean(axis=-1, keepdims=True) for ranks in (rankdata(c, axis=-1) for c in (values, against)))
    return _ratio((x * y).sum(axis=-1), np.sqrt(np.square(x).sum(axis=-1) * np.square(y).sum(axis=-1)))


def _ratio(above: NDArray, below: NDArray) -> Floats:
    ratio: Floats = np.divide(above, below, out=np.full(np.shape(below), np.nan), where=np.asarray(below) > 0)
    return ratio
