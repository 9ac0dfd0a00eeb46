"""The jobs of a benchmark: how much work each does, and what it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.benchmark.metrics import Score
from xcebra_nwb.core.config.schema import Config

TRUE_INVERSE = "true inverse"  # the known-perfect encoder, in the column of trainings
HYBRID = "hybrid"  # our training with an objective on time and one on each label, in the column of trainings
PEER = "CEBRA 0.6.1"  # its hybrid training, in the column of trainings
SIZES = ("quick", "reduced", "full")


@dataclass(frozen=True)
class Budget:
    """The optimiser's part of a benchmark."""

    steps: int
    batch_size: int
    learning_rate: float
    decay: float = 1.0

    def training(self, weight: float, **changes: Any) -> dict[str, Any]:
        """Return the config's section ``training`` with the regulariser's ``weight``: one seed, no nulls."""
        chosen = {
            "steps": self.steps,
            "batch_size": self.batch_size,
            "learning_rate": self.learning_rate,
            "decay": self.decay,
            "regularizer": {"weight": weight},
            "seeds": 1,
            "nulls": 0,
        }
        return chosen | changes


@dataclass(frozen=True)
class Commands:
    """The verbs that benchmarks go through; handed down, since only the command line's modules know them."""

    simulate: Callable[..., Path]
    extract: Callable[..., list[Path]]
    train: Callable[..., list[Path]]
    attribute: Callable[..., list[Path]]
    assess: Callable[..., list[Path]]


@dataclass(frozen=True)
class JobContext:
    """Where a job works: a folder of its own that is removed afterwards, and the threads it may use."""

    commands: Commands
    directory: Path
    threads: int = 1


@dataclass(frozen=True)
class Case:
    """A job: its name, the columns that its scores are filed under, and what it does."""

    name: str
    columns: Mapping[str, Any]  # setting, dataset, training, regularizer
    work: Callable[[JobContext], list[Score]]


@dataclass(frozen=True)
class Task:
    """A session, how to train on it, and the truth about it."""

    session: xr.Dataset
    config: Config
    carries: Mapping[str, NDArray]  # by label, (unit,) bool: which unit carries it
    latents: NDArray | None = None  # (time, latent), the true latents


def perfect_case(label: str) -> Case:
    """Return the job that every other job of a benchmark waits for: the check of the known-perfect encoder."""

    def work(context: JobContext) -> list[Score]:
        from xcebra_nwb.benchmark.perfect import scores  # the list of jobs is made without torch

        return scores()

    columns = {"dataset": 0, "training": TRUE_INVERSE, "regularizer": 0.0, "label": label}
    return Case("perfect", columns, work)


def judgement(assessed: Mapping) -> Score:
    """Return what assessment.json says of one label; the leak is the product's, which knows no truth."""
    unknown = float("nan")
    return {
        "verdict": assessed["verdict"],
        "because": assessed["because"],
        "decoding": unknown if assessed["decoding"]["score"] is None else assessed["decoding"]["score"],
        "leak": unknown if assessed["leak"]["score"] is None else assessed["leak"]["score"],
    }
