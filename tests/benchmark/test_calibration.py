"""The calibration of p and q: who carries what, what is counted, and that it goes on where it was."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from xcebra_nwb.benchmark import calibration
from xcebra_nwb.benchmark.null_population import SCENARIOS, population
from xcebra_nwb.core.config import schema

pytestmark = pytest.mark.slow

QUICK = {"encoder": {"hidden": 8}, "training": {"steps": 4, "batch_size": 32, "seeds": 2, "nulls": 3, "device": "cpu"}}


@pytest.mark.parametrize("scenario", list(SCENARIOS))
def test_units_that_carry_a_label_fire_with_it_and_the_others_do_not(scenario: str) -> None:
    session, wanted = population(scenario, 40, 200.0, np.random.default_rng(0)), SCENARIOS[scenario]
    carries, counts = session["carries"].values, session["activity"].values
    assert carries.sum(axis=1).tolist() == [round(40 * share) for share in (wanted.direction, wanted.place)]
    part = np.digitize(session["direction"].values, np.linspace(0, 2 * np.pi, 9)[1:-1])
    rates = np.stack([counts[part == k].mean(axis=0) for k in range(8)]) / counts.mean(axis=0)
    depth = rates.std(axis=0)
    if carries[0].any() and wanted.labels != "confounded":
        assert np.median(depth[carries[0]]) > 3 * np.median(depth[~carries[0]])


def test_a_simulated_session_is_trained_and_tested_by_both_methods() -> None:
    session = population("effects", 12, 60.0, np.random.default_rng(1))
    found = calibration.tests(session, schema.validate(QUICK))
    assert list(found) == ["inverted_neuron_gradient", "neuron_gradient"]
    for test in found.values():
        assert test.p_value.shape == (2, 12)
        assert np.isfinite(test.q_value).all()


def test_shares_false_discoveries_and_power_are_counted() -> None:
    carries = np.array([[True, True, False, False], [False, False, False, False]])
    p = np.array([[0.001, 0.2, 0.04, 0.5], [0.03, 0.6, 0.6, 0.6]])
    found = np.array([[True, False, True, False], [False, False, False, False]])
    rows = calibration.counted(found, p, carries)
    summary = calibration.summary(rows.assign(scenario="effects", session=0, method="m")).loc["m", "effects"]
    assert summary["null_tests"] == 6
    assert summary["share_p"] == pytest.approx(2 / 6)
    assert summary["false_discoveries"] == pytest.approx((1 / 2 + 0) / 2)
    assert summary["power"] == pytest.approx(1 / 2)


def test_it_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    def case(scenario: str, number: int, encoders: bool) -> pd.DataFrame:
        asked.append((scenario, number))
        if len(asked) == 3:
            raise KeyboardInterrupt
        return pd.DataFrame({"scenario": [scenario], "session": [number], "found": [len(asked)]})

    monkeypatch.setattr(calibration, "case", case)
    with pytest.raises(KeyboardInterrupt):
        calibration.run(tmp_path, range(2), ["nothing", "leak"], False)
    rows = calibration.run(tmp_path, range(2), ["nothing", "leak"], False)
    assert asked == [("nothing", 0), ("leak", 0), ("nothing", 1), ("nothing", 1), ("leak", 1)]
    assert rows["found"].tolist() == [1, 2, 4, 5]
