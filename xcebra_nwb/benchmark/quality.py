"""Quality against time: how many CPU seconds of training does a map take that more training does not improve?

Every job is a whole training with its own number of steps, because a schedule of the learning rate ends with the last
step. Without recordings, one encoder is trained on the data of the benchmark ``synthetic``, whose truth is known. With
recordings, ensembles of seeds and nulls are trained as in a run, and CEBRA is compared by its held-out decoding.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from time import process_time

import numpy as np
import pandas as pd

from xcebra_nwb.benchmark import synthetic
from xcebra_nwb.benchmark.case import DEFAULTS, HYBRID, PEER, Budget, Case, JobContext, judgement
from xcebra_nwb.benchmark.metrics import Score
from xcebra_nwb.benchmark.table import MAP_SECONDS, TRAIN_SECONDS
from xcebra_nwb.core.carriers import LEVEL
from xcebra_nwb.core.config import schema
from xcebra_nwb.core.errors import Refusal, UsageError
from xcebra_nwb.core.files import read_json
from xcebra_nwb.core.netcdf import load_dataset
from xcebra_nwb.core.session import load

METHOD = "inverted_neuron_gradient"
SESSION = "recording"
ADAM = "hybrid, Adam"  # in the column of trainings; HYBRID has the default optimiser
WEIGHT = 0.1
LATENTS = 6
SHARE_OF_BEST = 0.95
QUALITIES = ("row_auroc", "label_auroc", "decoding", "agreement", "shown_map", "found")  # all: the more the better


@dataclass(frozen=True)
class Arm:
    """A training: its schedule, and its numbers of steps."""

    training: str
    schedule: Budget  # with any number of steps
    steps: tuple[int, ...]


@dataclass(frozen=True)
class Design:
    """The size of the experiment."""

    samples: int
    arms: tuple[Arm, ...]
    datasets: int  # seeds of data and training
    seeds: int  # of an ensemble on a recording
    nulls: int


LARGE = "hybrid, large steps"  # the rows of maps in the least time; maps of single seeds agree less
OF_LARGE = replace(DEFAULTS, batch_size=256, learning_rate=32e-3)
OF_ADAM = Budget(0, 512, 2e-3, decay=0.5)
OF_PEER = Budget(0, 512, 1e-3)
SMALL = replace(DEFAULTS, batch_size=64)
DESIGNS = {
    "quick": Design(
        2_000,
        (Arm(HYBRID, SMALL, (10, 20)), Arm(ADAM, replace(SMALL, optimizer="adam"), (10, 20))),
        datasets=1,
        seeds=2,
        nulls=2,
    ),
    "reduced": Design(
        20_000,
        (
            Arm(HYBRID, DEFAULTS, (20, 40, 75, 150, 300, 600)),
            Arm(LARGE, OF_LARGE, (5, 10, 15, 25, 40, 75)),
            Arm(ADAM, OF_ADAM, (75, 150, 300, 600, 1_200)),
            Arm(PEER, OF_PEER, (125, 250, 500, 1_000, 2_000)),
        ),
        datasets=3,
        seeds=4,
        nulls=8,
    ),
    "full": Design(
        100_000,
        (
            Arm(HYBRID, DEFAULTS, (75, 150, 300, 600, 1_200, 2_400, 4_800)),
            Arm(LARGE, OF_LARGE, (25, 50, 100, 200, 400)),
            Arm(ADAM, OF_ADAM, (300, 600, 1_200, 2_400, 4_800, 9_600)),
            Arm(PEER, OF_PEER, (500, 1_000, 2_000, 4_000, 8_000, 16_000)),
        ),
        datasets=10,
        seeds=4,
        nulls=8,
    ),
}


def cases(size: str, path: Path) -> list[Case]:
    """Return a job for each number of steps of each training, on each dataset or recording.

    Args:
        size: quick, reduced or full.
        path: an NWB file or a folder of NWB files; the empty path: the synthetic data.

    Raises:
        UsageError: there is no NWB file at ``path``.
    """
    design = DESIGNS[size]
    if path == Path():
        jobs = (_case("synthetic", arm, steps, dataset, design) for arm, steps, dataset in _trainings(design))
        return list(jobs)
    files = sorted(path.glob("*.nwb")) if path.is_dir() else [path]
    if not files or not files[0].exists():
        raise UsageError(f"{path}: no NWB file", "name an NWB file, or a folder of NWB files")
    return [
        _case(file.stem, arm, steps, dataset, design, file)
        for file in files
        for arm, steps, dataset in _trainings(design)
    ]


def _trainings(design: Design) -> Iterator[tuple[Arm, int, int]]:
    for arm in design.arms:
        yield from ((arm, *rest) for rest in product(arm.steps, range(design.datasets)))


def _case(name: str, arm: Arm, steps: int, dataset: int, design: Design, file: Path | None = None) -> Case:
    setting = f"{name}, {steps} steps"
    columns = {"setting": setting, "dataset": dataset, "training": arm.training, "regularizer": WEIGHT}
    job = re.sub(r"[^\w-]+", "-", f"{name}-{arm.training}-{steps}-{dataset}")
    work = partial(_synthetic, design, arm, steps, dataset)
    if file is not None:
        work = partial(_recording, file, design, arm, steps, dataset)
    return Case(job, columns, work)


def _synthetic(design: Design, arm: Arm, steps: int, dataset: int, context: JobContext) -> list[Score]:
    """Return the scores of one encoder on the synthetic data, with the CPU seconds of its training."""
    from xcebra_nwb.benchmark.cebra_peer import peer_scores  # the list of jobs is made without torch
    from xcebra_nwb.benchmark.solve import scores

    asked = synthetic.Design(replace(arm.schedule, steps=steps), design.samples, ())
    training = PEER if arm.training == PEER else HYBRID
    task = synthetic.task(asked, LATENTS, dataset, training, WEIGHT, methods=[METHOD])
    return [row for row in (peer_scores if training == PEER else scores)(context, task) if row["method"] == METHOD]


def _recording(file: Path, design: Design, arm: Arm, steps: int, dataset: int, context: JobContext) -> list[Score]:
    """Return the verdict, the agreement and the power of an ensemble on a recording, by label."""
    from xcebra_nwb.benchmark.cebra_peer import peer_decoding  # the list of jobs is made without torch

    training = replace(arm.schedule, steps=steps).training(WEIGHT, seeds=design.seeds, nulls=design.nulls)
    config = schema.validate({"training": training, "random_seed": dataset, "attribution": {"methods": [METHOD]}})
    try:
        context.commands.extract(file, context.directory, config, SESSION)
    except Refusal as refusal:
        return [{"label": "none", "method": "none", "verdict": "refused", "note": refusal.code.value}]
    if arm.training == PEER:
        return peer_decoding(load(context.directory / "session.nc"), config, context.threads)
    began = process_time()
    context.commands.train(context.directory, config, context.threads)
    trained = process_time()
    context.commands.attribute(context.directory, config, context.threads)
    context.commands.assess(context.directory)
    attribution = load_dataset(context.directory / "attribution.nc")
    rows = []
    for name, assessed in read_json(context.directory / "assessment.json")["labels"].items():
        about = {"method": METHOD, "label": name, TRAIN_SECONDS: trained - began, MAP_SECONDS: process_time() - trained}
        found = {"found": float((attribution["q_value"].sel(label=name) <= LEVEL).mean())}
        agreement = assessed["consistency"]["null_corrected_maps"]
        about |= {"agreement": np.nan if agreement is None else agreement}
        rows.append(about | judgement(assessed) | found)
    return rows


def times_to_quality(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the CPU seconds of training after which each training reaches 95 % of the best.

    The best is the highest mean over datasets of all numbers of steps: of this training, and of all trainings. Between
    two numbers of steps the score is interpolated over the logarithm of the seconds.

    Args:
        scores: of all jobs.

    Returns:
        A row for each data, label, training and score: ``best``, ``seconds_to_own_best``, ``seconds_to_common_best``
        and, of these, ``least`` and ``most`` over the datasets; NaN where a training never reaches it.
    """
    rows = []
    for quality in (quality for quality in QUALITIES if quality in scores):
        known = scores[scores[quality].notna()]
        for (data, label), group in known.groupby([known["setting"].map(data_of), "label"], sort=False):
            common = max(_means(part, quality)[quality].max() for _, part in group.groupby("training"))
            for training, part in group.groupby("training", sort=False):
                means = _means(part, quality)
                best = means[quality].max()
                own, shared = (_reached(means, quality, SHARE_OF_BEST * goal) for goal in (best, common))
                by_dataset = (_means(one, quality) for _, one in part.groupby("dataset"))
                each = [_reached(curve, quality, SHARE_OF_BEST * best) for curve in by_dataset]
                rows.append(
                    {"data": data, "label": label, "training": training, "quality": quality, "best": best}
                    | {"seconds_to_own_best": own, "seconds_to_common_best": shared}
                    | {"least": np.min(each), "most": np.max(each)}
                )
    return pd.DataFrame(rows)


def data_of(setting: str) -> str:
    """Return the name of the data in a setting.

    >>> data_of("mouse, day 2, 300 steps")
    'mouse, day 2'
    """
    return setting.rpartition(", ")[0]


def _means(part: pd.DataFrame, quality: str) -> pd.DataFrame:
    """The mean seconds and the mean score of each number of steps, fewest first."""
    return part.groupby("setting")[[TRAIN_SECONDS, quality]].mean().sort_values(TRAIN_SECONDS)


def _reached(means: pd.DataFrame, quality: str, goal: float) -> float:
    """The CPU seconds at which a curve first reaches a score; NaN if it never does."""
    seconds, values = means[TRAIN_SECONDS].to_numpy(float), means[quality].to_numpy(float)
    above = np.flatnonzero(values >= goal)
    if not len(above):
        return float("nan")
    first = above[0]
    if first == 0:
        return float(seconds[0])
    share = (goal - values[first - 1]) / (values[first] - values[first - 1])
    return float(np.exp(np.log(seconds[first - 1]) * (1 - share) + np.log(seconds[first]) * share))
