"""Quality against time: the jobs, and the seconds at which a training reaches its best."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from xcebra_nwb.benchmark import quality, quality_figure
from xcebra_nwb.benchmark.arrays import session_of
from xcebra_nwb.benchmark.case import HYBRID, PEER, SIZES
from xcebra_nwb.benchmark.cebra_peer import peer_decoding
from xcebra_nwb.benchmark.table import TRAIN_SECONDS, summary
from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.errors import UsageError


def scores_of(curves: dict[str, dict[float, float]], datasets: int = 2) -> pd.DataFrame:
    """Scores of trainings whose mean score (values) after CPU seconds (keys) is known."""
    rows = [
        {
            "setting": f"a track, {steps} steps",
            "dataset": dataset,
            "training": training,
            "regularizer": 0.1,
            "label": "position",
            "method": quality.METHOD,
            "decoding": score + (dataset - (datasets - 1) / 2) * 0.01,
            TRAIN_SECONDS: seconds,
        }
        for training, curve in curves.items()
        for steps, (seconds, score) in enumerate(curve.items(), 1)
        for dataset in range(datasets)
    ]
    return pd.DataFrame(rows)


def test_the_time_to_the_best_is_read_from_the_curve() -> None:
    ours, peer = {1.0: 0.5, 10.0: 0.7, 100.0: 0.8}, {10.0: 0.2, 1000.0: 0.6}
    times = quality.times_to_quality(scores_of({HYBRID: ours, PEER: peer})).set_index("training")
    assert times.loc[HYBRID, "best"] == pytest.approx(0.8) and times.loc[PEER, "best"] == pytest.approx(0.6)
    # 0.76 lies at 0.6 of the way from 0.7 to 0.8, and so of that from 10 to 100 s on a logarithmic axis.
    assert times.loc[HYBRID, "seconds_to_own_best"] == pytest.approx(10 ** (1 + 0.6))
    assert times.loc[PEER, "seconds_to_own_best"] == pytest.approx(10 ** (1 + 2 * (0.57 - 0.2) / 0.4))
    assert np.isnan(times.loc[PEER, "seconds_to_common_best"])  # it never comes near the best of all
    assert (times["least"] < times["seconds_to_own_best"]).all() and (times["most"] > times["least"]).all()


def test_a_training_that_is_best_at_once_takes_its_shortest_time() -> None:
    (row,) = quality.times_to_quality(scores_of({HYBRID: {3.0: 0.9, 30.0: 0.9}})).to_dict("records")
    assert row["seconds_to_own_best"] == pytest.approx(3.0) and row["data"] == "a track"


@pytest.mark.parametrize("size", SIZES)
def test_every_number_of_steps_is_a_job_on_every_dataset(size: str, tmp_path: Path) -> None:
    (tmp_path / "sub-1.nwb").touch()
    design = quality.DESIGNS[size]
    expected = design.datasets * sum(len(arm.steps) for arm in design.arms)
    for path in (Path(), tmp_path):
        jobs = quality.cases(size, path)
        assert len({job.name for job in jobs}) == len(jobs) == expected


def test_a_folder_without_recordings_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no NWB file"):
        quality.cases("quick", tmp_path)


def test_the_figure_has_a_curve_for_each_training() -> None:
    table = summary(scores_of({HYBRID: {1.0: 0.5, 9.0: 0.7}, PEER: {5.0: 0.2, 50.0: 0.6}}))
    (axes,) = (axes for axes in quality_figure.draw(table).axes if axes.lines)
    curves = [line for line in axes.lines if len(line.get_xdata()) == 2]
    assert sorted(float(line.get_xdata()[0]) for line in curves) == [1.0, 5.0]
    assert axes.get_xscale() == "log" and axes.get_ylabel() == "decoding"


def test_a_session_that_the_peer_cannot_read_is_said() -> None:
    session = session_of(np.random.default_rng(0).random((400, 6)), {"place": np.linspace(0, 1, 400)[:, None]})
    session["place"].attrs["kind"] = "discrete"
    session["place"] = session["place"].isel(place_axis=0).round().astype(int)
    (row,) = peer_decoding(session, Config(training={"steps": 20, "batch_size": 8}), 1)
    assert "note" in row and "decoding" not in row
