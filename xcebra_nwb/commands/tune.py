"""tune: session.nc of one or more sessions -> tune.json, tuned.yaml, tune.html, and the study, which can go on."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml

from xcebra_nwb.assess.tuning.choice import Measured, Trial, as_record, choose
from xcebra_nwb.assess.tuning.grid import Grid, grid, tuned
from xcebra_nwb.assess.tuning.study import explore
from xcebra_nwb.commands.assess import assess
from xcebra_nwb.commands.attribute import attribute
from xcebra_nwb.commands.train import train
from xcebra_nwb.core.config.schema import Config, dump
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.files import read_json, sha256, write_json, write_text
from xcebra_nwb.core.netcdf import load_dataset
from xcebra_nwb.core.provenance import fingerprint, software
from xcebra_nwb.core.session import load
from xcebra_nwb.report.pages.tuning import tune_page

LEAST_SEEDS = 2


def tune(directories: Sequence[Path], config: Config, trials: int, output: Path, threads: int = 1) -> list[Path]:
    """Try settings on the sessions of ``directories`` and write which to take, and why, into ``output``.

    Every setting is trained, attributed and assessed as a run would do it. Called again it goes on where it stopped.

    Raises:
        UsageError: a folder without session.nc, a session named twice, fewer than two seeds, ``output`` holds the study
            of something else, or another process is tuning there.
        Refusal: a session cannot be trained on.
    """
    places, output = [Path(directory).resolve() for directory in directories], Path(output).absolute()
    settings = _settings(places, config)

    def attempt(outputs: int, weight: float) -> Trial:
        chosen = tuned(config, outputs, weight)
        measured = [one for place in places for one in _measure(place, output / "trial", chosen, threads)]
        return Trial(outputs, weight, tuple(measured))

    tried = explore(output, settings, _question(places, config), config.random_seed, trials, attempt)
    return _write(output, [place.name for place in places], config, tried)


def _settings(places: list[Path], config: Config) -> Grid:
    """The settings to try, once it is known that they can be."""
    for place in places:
        if not (place / "session.nc").exists():
            raise UsageError(f"{place}: no session.nc", "name the results folder of a session after `extract`")
        if [other.name for other in places].count(place.name) > 1:
            raise UsageError(f"session {place.name} is named twice", "every session once")
    if config.training.seeds < LEAST_SEEDS:
        raise UsageError("training.seeds: 1; a single seed has nothing to agree with", "seeds: 2 or more")
    return grid(config, [load(place / "session.nc") for place in places])


def _question(places: list[Path], config: Config) -> dict[str, str]:
    """What a study is about, by its digests."""
    settings = dump(config.model_copy(update={"sessions": "", "results": ""}))
    return {
        "config": hashlib.sha256(settings.encode()).hexdigest(),
        "code": fingerprint("tune"),
        **{place.name: sha256(place / "session.nc") for place in places},
    }


def _measure(place: Path, scratch: Path, config: Config, threads: int) -> list[Measured]:
    """What a setting gives on one session, label by label; the trained files are not kept."""
    directory = scratch / place.name
    shutil.rmtree(scratch, ignore_errors=True)
    directory.mkdir(parents=True)
    (directory / "session.nc").symlink_to(place / "session.nc")
    train(directory, config, threads)
    attribute(directory, config, threads)
    assess(directory)
    losses, said = _held_out_losses(directory), read_json(directory / "assessment.json")["labels"]
    shutil.rmtree(scratch)
    return [
        Measured(
            session=place.name,
            label=label,
            losses=losses[label],
            leak=found["leak"]["score"],
            consistency=found["consistency"]["null_corrected_maps"],
            decoding=found["decoding"]["score"],
            verdict=found["verdict"],
        )
        for label, found in said.items()
    ]


def _held_out_losses(directory: Path) -> dict[str, tuple[float, ...]]:
    """Every label's held-out losses of the seeds, as shares of chance."""
    training = load_dataset(directory / "training.nc")
    seeds = np.flatnonzero(training["role"].values == "seed")
    share = (training["held_out_loss"] / training["chance"]).transpose("objective", "member").values[:, seeds]
    return {str(label): tuple(row.tolist()) for label, row in zip(training["label"].values, share, strict=True)}


def _write(output: Path, sessions: list[str], config: Config, tried: list[Trial]) -> list[Path]:
    """Write what was tried, what to take and why."""
    choice = choose(tried)
    chosen = {
        "encoder": {"outputs": choice.trial.outputs},
        "training": {"regularizer": {"weight": choice.trial.weight}},
    }
    snippet = yaml.safe_dump(chosen, sort_keys=False)
    record = {
        "sessions": sessions,
        "chosen": chosen,
        "because": choice.because,
        "trials": [as_record(trial) for trial in tried],
        "config": config.model_dump(mode="json"),
        "software": software(),
    }
    paths = [output / name for name in ("tune.json", "tuned.yaml", "tune.html")]
    write_json(paths[0], record)
    write_text(paths[1], snippet)
    write_text(paths[2], tune_page(sessions, tried, choice, snippet))
    return paths
