"""The study of a tuning: every setting that was tried, kept on disk by optuna so that a stopped study goes on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import optuna
from optuna.distributions import CategoricalDistribution

from xcebra_nwb.assess.tuning.choice import Trial, as_record, from_record
from xcebra_nwb.assess.tuning.grid import Grid
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.lock import acquire

logger = logging.getLogger("xcebra_nwb")


def explore(
    folder: Path,
    settings: Grid,
    question: dict[str, str],
    seed: int,
    trials: int,
    attempt: Callable[[int, float], Trial],
) -> list[Trial]:
    """Try settings until enough are done, and return all that are done.

    Settings that earlier calls have tried count.

    Args:
        folder: where the study is kept.
        settings: the settings to try.
        question: the subject of the study: names and digests. A study of another question is not added to.
        seed: of the order in which settings are tried.
        trials: number of settings to try in all.
        attempt: function from a number of latents and a weight to the trial.

    Returns:
        Every finished trial.

    Raises:
        UsageError: ``folder`` holds the study of another question.
        Failure: Another process is at work there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    busy = f"{folder}: another process is tuning here"
    with acquire(folder / ".tune.lock", busy, "wait for it, or another --output"):
        study = _open(folder, question)
        done = {(trial.outputs, trial.weight) for trial in _done(study)}
        missing = [setting for setting in settings.shuffled(seed) if setting not in done]
        left = missing[: max(0, trials - len(done))]
        logger.info("%d settings are tried, %d to go", len(done), len(left))
        for setting in left:
            _add(study, settings, attempt(*setting))
        return _done(study)


def _open(folder: Path, question: dict[str, str]) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = f"sqlite:///{folder / 'study.db'}"
    study = optuna.create_study(
        study_name="tune",
        storage=storage,
        directions=["minimize", "minimize", "maximize"],  # loss, leak, consistency
        load_if_exists=True,
    )
    known = study.user_attrs.get("question", question)
    differs = [name for name in {**known, **question} if known.get(name) != question.get(name)]
    if differs:
        raise UsageError(f"{folder}: holds a study with other {', '.join(differs)}", "another --output, or delete it")
    study.set_user_attr("question", question)
    return study


def _add(study: optuna.Study, settings: Grid, trial: Trial) -> None:
    """Keep a finished trial; one that was stopped half way leaves nothing, and is tried again."""
    study.add_trial(
        optuna.trial.create_trial(
            params={"outputs": trial.outputs, "weight": trial.weight},
            distributions={name: CategoricalDistribution(values) for name, values in settings.space().items()},
            values=[trial.loss, trial.leak, trial.consistency],
            user_attrs={"record": as_record(trial)},
        )
    )
    logger.info(
        "%d latents, weight %g: held-out loss %.4f of chance, leak %.2f, maps of seeds agree by %.2f",
        *(trial.outputs, trial.weight, trial.loss, trial.leak, trial.consistency),
    )


def _done(study: optuna.Study) -> list[Trial]:
    complete = study.get_trials(states=(optuna.trial.TrialState.COMPLETE,))
    return [from_record(trial.user_attrs["record"]) for trial in complete]
