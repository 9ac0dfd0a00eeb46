"""Tuning: a written rule chooses, a stopped study goes on, and nothing that looks at the answer is read."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.support.make_results import make_session
from tests.support.paths import ROOT
from xcebra_nwb.assess.tuning.choice import Measured, Trial, as_record, choose, from_record, standard_error
from xcebra_nwb.assess.tuning.grid import Grid, grid, tuned
from xcebra_nwb.assess.tuning.study import explore
from xcebra_nwb.core.config import schema
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.files import read_json
from xcebra_nwb.core.session import save
from xcebra_nwb.report.pages.tuning import tune_page

GRID = Grid((3, 5), (0.0, 0.1, 1.0))
QUESTION = {"config": "a", "code": "b", "sub-1": "c"}
SHORT = {"steps": 12, "batch_size": 32, "seeds": 2, "nulls": 3}


def trial(outputs: int, weight: float, loss: float, leak: float = 0.1, consistency: float = 0.8) -> Trial:
    one = Measured("sub-1", "position", (loss - 0.01, loss + 0.01), leak, consistency, 0.5, "supported")
    return Trial(outputs, weight, (one,))


def test_the_standard_error_is_that_of_a_mean_of_seeds() -> None:
    assert standard_error([trial(3, 0.1, 0.8), trial(5, 0.1, 0.9)]) == pytest.approx(0.01 * np.sqrt(2) / np.sqrt(2))


def test_a_smaller_loss_wins_where_it_is_clearly_smaller() -> None:
    assert choose([trial(3, 0.1, 0.88), trial(5, 0.1, 0.80, consistency=0.2)]).trial.outputs == 5


def test_of_settings_with_near_losses_the_most_stable_one_is_taken() -> None:
    found = choose([trial(3, 0.1, 0.800), trial(5, 0.1, 0.803, consistency=0.95)])
    assert found.trial.outputs == 5


def test_of_equally_good_settings_the_smallest_with_the_largest_weight_is_taken() -> None:
    found = choose([trial(5, 1.0, 0.8), trial(3, 0.1, 0.805, consistency=0.78), trial(3, 0.3, 0.805)])
    assert (found.trial.outputs, found.trial.weight) == (3, 0.3)


def test_leaking_blocks_are_taken_only_if_all_leak_and_it_is_said() -> None:
    leaking = trial(5, 0.1, 0.80, leak=0.95, consistency=0.99)
    assert choose([leaking, trial(3, 0.1, 0.805)]).trial.outputs == 3
    alone = choose([leaking, trial(3, 0.1, 0.95)])
    assert alone.trial == leaking
    assert "none of them keeps the blocks separate" in alone.because[1]


def test_the_answer_is_not_looked_at() -> None:
    trials = [trial(3, 0.1, 0.80), trial(5, 0.3, 0.805)]
    better = [
        replace(t, measured=tuple(replace(m, decoding=d, verdict="weak") for m in t.measured))
        for t, d in zip(trials, (-1.0, 1.0), strict=True)
    ]
    assert choose(better).trial.outputs == choose(trials).trial.outputs


def test_what_cannot_be_known_counts_as_no_leak_and_no_agreement() -> None:
    unknown = Trial(3, 0.1, (Measured("sub-1", "position", (0.8, 0.9), None, None, None, "not encoded"),))
    assert (unknown.leak, unknown.consistency) == (0.0, 0.0)
    assert from_record(json.loads(json.dumps(as_record(unknown)))) == unknown


def attempts(stop_after: int = 99) -> tuple[list[tuple[int, float]], Callable[[int, float], Trial]]:
    asked: list[tuple[int, float]] = []

    def attempt(outputs: int, weight: float) -> Trial:
        if len(asked) == stop_after:
            raise KeyboardInterrupt
        asked.append((outputs, weight))
        return trial(outputs, weight, 0.8)

    return asked, attempt


@pytest.mark.slow
def test_a_study_that_was_interrupted_goes_on(tmp_path: Path) -> None:
    first, attempt = attempts(stop_after=2)
    with pytest.raises(KeyboardInterrupt):
        explore(tmp_path, GRID, QUESTION, 0, 6, attempt)
    second, attempt = attempts()
    assert len(explore(tmp_path, GRID, QUESTION, 0, 6, attempt)) == 6
    assert len(first) == 2
    assert len(second) == 4
    assert set(first + second) == {(o, w) for o in GRID.outputs for w in GRID.weights}
    third, attempt = attempts()
    explore(tmp_path, GRID, QUESTION, 0, 6, attempt)
    assert third == []


@pytest.mark.slow
@pytest.mark.thorough
def test_a_study_that_was_killed_goes_on(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path\n"
        "from tests.assess.test_tuning import GRID, QUESTION, trial\n"
        "from xcebra_nwb.assess.tuning.study import explore\n"
        "def attempt(outputs, weight, asked=[]):\n"
        "    asked.append(1)\n"
        "    if len(asked) == 3: os._exit(9)\n"
        "    return trial(outputs, weight, 0.8)\n"
        "explore(Path(sys.argv[1]), GRID, QUESTION, 0, 6, attempt)\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    killed = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, env=environment)
    assert killed.returncode == 9
    asked, attempt = attempts()
    found = explore(tmp_path, GRID, QUESTION, 0, 6, attempt)
    assert len(asked) == 4
    assert {(t.outputs, t.weight) for t in found} == {(o, w) for o in GRID.outputs for w in GRID.weights}


@pytest.mark.slow
def test_the_study_of_another_question_is_not_added_to(tmp_path: Path) -> None:
    explore(tmp_path, GRID, QUESTION, 0, 1, attempts()[1])
    with pytest.raises(UsageError, match="a study with other code"):
        explore(tmp_path, GRID, QUESTION | {"code": "x"}, 0, 1, attempts()[1])


def test_objectives_that_are_given_fix_the_number_of_latents() -> None:
    session = make_session(np.random.default_rng(0))
    automatic = grid(schema.validate({}), [session])
    assert automatic.outputs[0] == 7  # 3 for the position, 3 for the angle, 1 for the choice
    assert len(automatic.outputs) == 5
    given = schema.validate(
        {"objectives": [{"name": "p", "outputs": [0, 3], "positive": "time_delta", "label": "position"}]}
    )
    assert grid(given, [session]).outputs == (3,)
    assert tuned(given, 3, 0.3).training.regularizer.weight == 0.3


def test_values_from_files_are_escaped_on_the_page() -> None:
    trials = [trial(3, 0.1, 0.8), trial(5, 0.1, 0.9)]
    page = tune_page(["<script>alert(1)</script>"], trials, choose(trials), "encoder: {}\n")
    assert "<script>alert(1)" not in page
    assert "The choice, and why" in page


@pytest.fixture
def extracted(tmp_path: Path) -> Path:
    """The results folder of a session after `extract`."""
    save(make_session(np.random.default_rng(0)), tmp_path / "sub-1" / "session.nc")
    return tmp_path / "sub-1"


@pytest.mark.slow
def test_tuning_a_session_writes_what_to_take_and_why(extracted: Path, tmp_path: Path) -> None:
    from xcebra_nwb.commands.tune import tune

    study = tmp_path / "study"
    (study / "trial").mkdir(parents=True)
    (study / "trial" / "mine.txt").write_text("mine")
    (study / ".tune-trial-killed").mkdir()
    files = tune([extracted], schema.validate({"training": SHORT}), 2, study)
    assert [file.name for file in files] == ["tune.json", "tuned.yaml", "tune.html"]
    record = read_json(files[0])
    assert len(record["trials"]) == 2
    assert schema.load(files[1]).encoder.outputs == record["chosen"]["encoder"]["outputs"]
    assert {one["label"] for one in record["trials"][0]["measured"]} == {"position", "head_direction", "choice"}
    assert (study / "trial" / "mine.txt").read_text() == "mine"
    assert not list(study.glob(".tune-trial-*"))


@pytest.mark.parametrize(
    ("training", "folder", "message"),
    [({"seeds": 1}, "sub-1", "a single seed has nothing to agree with"), ({}, "sub-2", "no session.nc")],
)
def test_what_cannot_be_tuned_is_said(
    extracted: Path, tmp_path: Path, training: dict, folder: str, message: str
) -> None:
    from xcebra_nwb.commands.tune import tune

    with pytest.raises(UsageError, match=message):
        tune([tmp_path / folder], schema.validate({"training": training}), 1, tmp_path / "study")
    assert not (tmp_path / "study").exists()
