"""A recording of the user, without a known truth: do seeds and halves agree, and what do shifted labels give?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.benchmark import demo
from xcebra_nwb.benchmark.agreement import halves_agreement, seeds_agreement
from xcebra_nwb.benchmark.case import HYBRID, Budget, Case, JobContext, judgement
from xcebra_nwb.benchmark.metrics import Score
from xcebra_nwb.core.config import schema
from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.files import read_json
from xcebra_nwb.core.netcdf import load_dataset
from xcebra_nwb.core.session import labels, load, save

SESSION = "recording"


@dataclass(frozen=True)
class Design:
    """The size of the experiment."""

    budget: Budget
    seeds: int
    nulls: int


DESIGNS = {
    "quick": Design(Budget(30, 64, 3e-3), 2, 4),
    "reduced": Design(Budget(1_500, 512, 1e-3), 8, 8),
    "full": Design(Budget(5_000, 512, 3e-4), 8, 16),
}
Work = Callable[[Path, Config, JobContext], list[Score]]


def cases(size: str, file: Path) -> list[Case]:
    """Return the jobs on one file.

    Args:
        size: quick, reduced or full.
        file: an NWB file, or arrays whose truth is known (:mod:`xcebra_nwb.benchmark.demo`).

    Raises:
        UsageError: there is no such file.
    """
    if not file.exists():
        raise UsageError(f"{file}: no such file", "name an NWB file")
    if file.suffix == ".npz":
        return demo.cases(size, file)
    design = DESIGNS[size]
    training = design.budget.training(0.1, seeds=design.seeds, nulls=design.nulls)
    config = schema.validate({"training": training})
    works: dict[str, Work] = {
        "true labels": true_labels,
        "shifted labels": shifted_labels,
        "first against second half": halves,
    }
    return [_case(file, config, setting, work) for setting, work in works.items()]


def _case(file: Path, config: Config, setting: str, work: Work) -> Case:
    columns = {"setting": setting, "dataset": 0, "training": HYBRID, "regularizer": 0.1}
    return Case(setting.replace(" ", "-"), columns, partial(work, file, config))


def true_labels(file: Path, config: Config, context: JobContext) -> list[Score]:
    """Return the agreement of the seeds' maps, and the verdicts, by label.

    Args:
        file: the NWB file.
        config: how to train.
        context: of the job.
    """
    return _agreement_of_seeds(_extracted(file, config, context), config, context)


def shifted_labels(file: Path, config: Config, context: JobContext) -> list[Score]:
    """Return the same for labels that mean nothing.

    All labels are moved by half the recording in a circle.

    Args:
        file: the NWB file.
        config: how to train.
        context: of the job.
    """
    return _agreement_of_seeds(shift_labels(_extracted(file, config, context)), config, context)


def shift_labels(session: xr.Dataset) -> xr.Dataset:
    """Return a session whose labels are all moved by half the recording, in a circle of its valid bins."""
    session, valid = session.load().copy(deep=True), session["valid"].values
    for label in labels(session).values():
        label.values[valid] = np.roll(label.values[valid], valid.sum() // 2, axis=0)
    return session


def halves(file: Path, config: Config, context: JobContext) -> list[Score]:
    """Return how far the maps of the two halves of a recording agree.

    Args:
        file: the NWB file.
        config: how to train.
        context: of the job.
    """
    session = _extracted(file, config, context)
    middle = np.median(np.flatnonzero(session["valid"].values))
    first = np.arange(session.sizes["time"]) < middle
    maps = [_attribution(_only(session, half), config, context) for half in (first, ~first)]
    rows = []
    for name in (str(label) for label in maps[0]["label"].values):
        seeds, nulls = zip(*(_label_maps(half_maps, name) for half_maps in maps), strict=True)
        about = {"method": maps[0].attrs["tested_method"], "label": name}
        rows.append(about | halves_agreement(seeds, nulls))
    return rows


def _extracted(file: Path, config: Config, context: JobContext) -> xr.Dataset:
    context.commands.extract(file, context.directory, config, SESSION)
    return load(context.directory / "session.nc")


def _only(session: xr.Dataset, kept: NDArray[np.bool_]) -> xr.Dataset:
    """The session of which only the bins ``kept`` (time,) are valid."""
    valid = session["valid"].values & kept
    segment = np.where(valid, session["segment"].values, -1)
    return session.assign(valid=("time", valid), segment=("time", segment))


def _attribution(session: xr.Dataset, config: Config, context: JobContext) -> xr.Dataset:
    save(session, context.directory / "session.nc")
    context.commands.train(context.directory, config, context.threads)
    context.commands.attribute(context.directory, config, context.threads)
    return load_dataset(context.directory / "attribution.nc")


def _label_maps(attribution: xr.Dataset, label: str) -> tuple[NDArray, NDArray]:
    """The tested maps of one label: (seed, unit), (null, unit)."""
    maps = attribution.sel(label=label)
    seeds = maps["attribution_seeds"].isel(map_method=0).transpose("seed", "unit").values
    return seeds, maps["null_attribution"].transpose("null", "unit").values


def _agreement_of_seeds(session: xr.Dataset, config: Config, context: JobContext) -> list[Score]:
    attribution = _attribution(session, config, context)
    context.commands.assess(context.directory)
    assessed = read_json(context.directory / "assessment.json")["labels"]
    rows = []
    for name in (str(label) for label in attribution["label"].values):
        about = {"method": attribution.attrs["tested_method"], "label": name} | judgement(assessed[name])
        rows.append(about | seeds_agreement(*_label_maps(attribution, name)))
    return rows
