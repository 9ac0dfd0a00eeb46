"""The jobs of a benchmark: how much work each does, and what it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.benchmark.metrics import Score
from xcebra_nwb.core.config.schema import Config, Training

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
    optimizer: str = "adam"

    def training(self, weight: float, **changes: Any) -> dict[str, Any]:
        """Return the config section ``training``: one seed, no nulls.

        Args:
            weight: of the regulariser.
            **changes: other settings of the section.
        """
        section = {
            "steps": self.steps,
            "batch_size": self.batch_size,
            "learning_rate": self.learning_rate,
            "decay": self.decay,
            "optimizer": self.optimizer,
            "regularizer": {"weight": weight},
            "seeds": 1,
            "nulls": 0,
        }
        return section | changes


USUAL = Training()
DEFAULTS = Budget(USUAL.steps, USUAL.batch_size, USUAL.learning_rate, USUAL.decay, USUAL.optimizer)


@dataclass(frozen=True)
class Commands:
    """The commands that jobs run.

    They are handed down: the modules of the commands lie above this room.
    """

    simulate: Callable[..., Path]
    extract: Callable[..., list[Path]]
    train: Callable[..., list[Path]]
    attribute: Callable[..., list[Path]]
    assess: Callable[..., list[Path]]


@dataclass(frozen=True)
class JobContext:
    """The commands, the folder and the threads of a job.

    The folder is the job's own and is removed afterwards.
    """

    commands: Commands
    directory: Path
    threads: int = 1


@dataclass(frozen=True)
class Case:
    """A job: its name, the columns that identify its scores, and its work."""

    name: str
    columns: Mapping[str, Any]  # setting, dataset, training, regularizer
    work: Callable[[JobContext], list[Score]]


@dataclass(frozen=True)
class Task:
    """A session, how to train on it, and its truth."""

    session: xr.Dataset
    config: Config
    carries: Mapping[str, NDArray]  # by label, (unit,) bool: which unit carries it
    latents: NDArray | None = None  # (time, latent), the true latents


def perfect_case(label: str) -> Case:
    """Return the check of the known-perfect encoder, the first job.

    Every other job of a benchmark waits for it.

    Args:
        label: name of the label in the table.
    """

    def work(context: JobContext) -> list[Score]:
        from xcebra_nwb.benchmark.perfect import scores  # the list of jobs is made without torch

        return scores()

    columns = {"dataset": 0, "training": TRUE_INVERSE, "regularizer": 0.0, "label": label}
    return Case("perfect", columns, work)


def judgement(assessed: Mapping) -> Score:
    """Return the verdict of a label, its decoding and leak, and the agreement of the shown map with other seeds' map.

    The leak is the assessment's, which knows no truth.

    Args:
        assessed: the label in assessment.json.
    """
    known = {
        "decoding": assessed["decoding"]["score"],
        "leak": assessed["leak"]["score"],
        "shown_map": assessed["consistency"]["shown_map"],
    }
    return {
        "verdict": assessed["verdict"],
        "because": assessed["because"],
        **{name: float("nan") if value is None else value for name, value in known.items()},
    }
