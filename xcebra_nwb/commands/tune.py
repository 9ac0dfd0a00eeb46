"""tune: session.nc of one or more sessions -> tune.json, tuned.yaml, tune.html, and the study, which can be resumed."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

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
from xcebra_nwb.core.members import seeds
from xcebra_nwb.core.netcdf import load_dataset
from xcebra_nwb.core.provenance import fingerprint, software
from xcebra_nwb.core.session import load
from xcebra_nwb.report.pages.tuning import tune_page

LEAST_SEEDS = 2
TRIAL = ".tune-trial-"  # how the name of the folder of a setting begins


def tune(directories: Sequence[Path], config: Config, trials: int, output: Path, threads: int = 1) -> list[Path]:
    """Try settings on sessions, choose one, and write the choice and its reasons.

    Every setting is trained, attributed and assessed as in a run. The same command resumes the study.

    Args:
        directories: Results folders of the sessions, with session.nc.
        config: The config.
        trials: Number of settings to try.
        output: Folder of the study.
        threads: CPU threads.

    Returns:
        The files: tune.json, tuned.yaml and tune.html.

    Raises:
        UsageError: A folder has no session.nc, a session is named twice, there are fewer than two seeds, ``output``
            holds another study, or another process is tuning there.
        Refusal: A session cannot be trained on.
    """
    folders, output = [Path(directory).resolve() for directory in directories], Path(output).absolute()
    settings = _settings(folders, config)

    def attempt(outputs: int, weight: float) -> Trial:
        setting = tuned(config, outputs, weight)
        measured = [label for folder in folders for label in _measure(folder, output, setting, threads)]
        return Trial(outputs, weight, tuple(measured))

    trials_done = explore(output, settings, _question(folders, config), config.random_seed, trials, attempt)
    return _write(output, [folder.name for folder in folders], config, trials_done)


def _settings(folders: list[Path], config: Config) -> Grid:
    """Return the settings to try, after a check of the sessions and the config."""
    for folder in folders:
        if not (folder / "session.nc").exists():
            raise UsageError(f"{folder}: no session.nc", "name the results folder of a session after `extract`")
        if [other.name for other in folders].count(folder.name) > 1:
            raise UsageError(f"session {folder.name} is named twice", "every session once")
    if config.training.seeds < LEAST_SEEDS:
        raise UsageError("training.seeds: 1; a single seed has nothing to agree with", "seeds: 2 or more")
    return grid(config, [load(folder / "session.nc") for folder in folders])


def _question(folders: list[Path], config: Config) -> dict[str, str]:
    """Return the digests that identify a study."""
    settings = dump(config.model_copy(update={"sessions": "", "results": ""}))
    return {
        "config": hashlib.sha256(settings.encode()).hexdigest(),
        "code": fingerprint("tune"),
        **{folder.name: sha256(folder / "session.nc") for folder in folders},
    }


def _measure(folder: Path, output: Path, config: Config, threads: int) -> list[Measured]:
    """Return the measurements of a setting on one session, by label; trained files are removed."""
    for killed in output.glob(f"{TRIAL}*"):
        shutil.rmtree(killed)
    with tempfile.TemporaryDirectory(prefix=TRIAL, dir=output) as scratch:
        directory = Path(scratch) / folder.name
        directory.mkdir()
        (directory / "session.nc").symlink_to(folder / "session.nc")
        train(directory, config, threads)
        attribute(directory, config, threads)
        assess(directory)
        losses, labels = _held_out_losses(directory), read_json(directory / "assessment.json")["labels"]
    return [
        Measured(
            session=folder.name,
            label=label,
            losses=losses[label],
            leak=result["leak"]["score"],
            consistency=result["consistency"]["null_corrected_maps"],
            decoding=result["decoding"]["score"],
            verdict=result["verdict"],
        )
        for label, result in labels.items()
    ]


def _held_out_losses(directory: Path) -> dict[str, tuple[float, ...]]:
    """Return the held-out losses of the seeds, relative to chance, by label."""
    training = load_dataset(directory / "training.nc")
    share = (training["held_out_loss"] / training["chance"]).transpose("objective", "member").values[:, seeds(training)]
    return {str(label): tuple(row.tolist()) for label, row in zip(training["label"].values, share, strict=True)}


def _write(output: Path, sessions: list[str], config: Config, trials: list[Trial]) -> list[Path]:
    """Write the trials, the choice and its reasons."""
    choice = choose(trials)
    chosen_keys = {
        "encoder": {"outputs": choice.trial.outputs},
        "training": {"regularizer": {"weight": choice.trial.weight}},
    }
    snippet = yaml.safe_dump(chosen_keys, sort_keys=False)
    record = {
        "sessions": sessions,
        "chosen": chosen_keys,
        "because": choice.because,
        "trials": [as_record(trial) for trial in trials],
        "config": config.model_dump(mode="json"),
        "software": software(),
    }
    paths = [output / name for name in ("tune.json", "tuned.yaml", "tune.html")]
    write_json(paths[0], record)
    write_text(paths[1], snippet)
    write_text(paths[2], tune_page(sessions, trials, choice, snippet))
    return paths
