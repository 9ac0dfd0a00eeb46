"""Simulated codes: tuning curves of one label do not show them, the truth holds, and the benchmark counts rightly."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from xcebra_nwb.benchmark import codes
from xcebra_nwb.benchmark.marginal_tuning import cells, marginal_p_values, shifted_information
from xcebra_nwb.benchmark.simulate.codes import CODES, GROUP, LAGS, NOTHING, TUNED, coded_session
from xcebra_nwb.core.session import labels

CODED = 12
TOGETHER = ["gain", "remapping", "remapping_by_trial", "flip", "phase"]


def simulated(kind: str, seconds: float = 600.0, coded: int = CODED) -> xr.Dataset:
    return coded_session(kind, coded, seconds, np.random.default_rng([3, list(CODES).index(kind)]))


def depth(session: xr.Dataset, *names: str) -> np.ndarray:
    """How far the rates in the cells of labels are from the mean, beyond Poisson noise, (unit,)."""
    counts = session["activity"].values.astype(float)
    cell = np.zeros(len(counts), dtype=int)
    for name in names:
        values, kind = session[name].values, session[name].attrs["kind"]
        fine = cells(values, kind)
        cell = cell * 8 + (fine if kind == "discrete" else fine * 8 // (fine.max() + 1))
    occupied = np.unique(cell)
    inside = np.stack([cell == number for number in occupied])
    expected = inside.sum(axis=1)[:, None] * counts.mean(axis=0)
    chi_squared = ((inside @ counts - expected) ** 2 / expected).sum(axis=0)
    return chi_squared / (len(occupied) - 1)


@pytest.mark.parametrize("kind", list(CODES))
def test_a_session_has_coded_tuned_and_empty_units_of_the_same_rates(kind: str) -> None:
    session = simulated(kind, 120.0)
    carries, code = session["carries"].values, session["code"].values
    carried = len(CODES[kind].carried)
    assert carries[:carried, :CODED].all()
    assert not carries[carried:, :CODED].any()
    assert (code[:CODED] == np.resize(CODES[kind].names, CODED)).all()
    assert carries[:, code == TUNED].sum(axis=0).tolist() == [1] * (code == TUNED).sum()
    assert not carries[:, code == NOTHING].any()
    assert (code == NOTHING).sum() == CODED
    assert list(labels(session)) == session["carried_label"].values.tolist()
    rates = session["activity"].values.mean(axis=0) * 20
    assert np.median(rates[:CODED]) == pytest.approx(np.median(rates[code == NOTHING]), rel=0.8)
    assert rates.min() > 1
    assert rates.max() < 25


@pytest.mark.parametrize("kind", TOGETHER)
def test_two_labels_together_move_a_rate_that_neither_moves_alone(kind: str) -> None:
    session = simulated(kind)
    coded, nothing = slice(0, CODED), session["code"].values == NOTHING
    first, second = CODES[kind].carried
    # A label alone leaves the rates near the noise; blocks of contexts do not cover all angles equally.
    for alone in (first, second):
        assert np.median(depth(session, alone)[coded]) < 4
    together = depth(session, first, second)
    assert np.median(together[coded]) > 2.5 * np.median(together[nothing])
    assert np.median(together[coded]) > 1.5 * np.median(depth(session, first)[coded])


def test_a_lagged_code_is_sharpest_at_its_lag() -> None:
    session = simulated("fast_lag", 300.0)
    counts, label = session["activity"].values.astype(float), cells(session["acceleration"].values, "continuous")
    shifts = np.array([-round(lag / 0.05) for lag in LAGS])
    # Moving the label on by -lag brings its later value to the bin in which the unit fires.
    sharpest = shifted_information(label, counts, shifts % len(label))[:, :CODED].argmax(axis=0)
    assert sharpest.tolist() == [0, 1, 2, 3, 4, 5] * (CODED // 6)


def test_copies_have_one_field_a_group() -> None:
    session = simulated("copies", coded=4 * GROUP)
    counts, place = session["activity"].values, cells(session["place"].values, "continuous")
    maps = np.stack([counts[place == number].mean(axis=0) for number in range(30)])
    alike = np.corrcoef(maps[:, : 4 * GROUP].T).reshape(4, GROUP, 4, GROUP)
    assert all(alike[group, :, group].min() > 0.8 for group in range(4))
    assert alike.min() < 0.5


def test_the_units_of_a_pair_say_nothing_alone_and_much_together() -> None:
    session = simulated("parity", coded=4)
    counts, half = session["activity"].values.astype(float), session["place"].values > 0.5
    smooth = np.stack([np.convolve(unit, np.ones(10), "same") for unit in counts.T], axis=1)
    high = smooth > np.median(smooth, axis=0)
    for unit in range(4):
        assert abs(high[half, unit].mean() - high[~half, unit].mean()) < 0.06
    for first in (0, 2):
        alike = high[:, first] == high[:, first + 1]
        assert abs(alike[half].mean() - alike[~half].mean()) > 0.15


def test_the_noise_of_a_pair_cancels() -> None:
    session = simulated("cancel")
    counts, place = np.log1p(session["activity"].values), session["place"].values
    smooth = np.stack([np.convolve(unit, np.ones(10), "same") for unit in counts[:, :CODED].T], axis=1)
    field, noise = smooth[:, ::2], smooth[:, 1::2]
    together = [np.corrcoef(a, b)[0, 1] for a, b in zip(field.T, noise.T, strict=True)]
    assert min(together) > 0.3
    assert np.median(depth(session, "place")[:CODED:2]) > 3 * np.median(depth(session, "place")[1:CODED:2])
    assert place.min() < 0.05


def test_the_marginal_test_finds_ordinary_tuning_and_not_the_codes() -> None:
    session = simulated("gain", 300.0)
    p_value = marginal_p_values(session, np.random.default_rng(0))
    carries, code = session["carries"].values, session["code"].values
    assert p_value.shape == carries.shape
    assert np.median(p_value[carries & (code == TUNED)]) < 0.01
    assert np.median(p_value[:2, :CODED]) > 0.1
    assert (p_value[~carries] <= 0.05).mean() < 0.15


def test_shifted_information_is_that_of_rolled_labels() -> None:
    generator = np.random.default_rng(0)
    cell, counts = generator.integers(0, 4, 200), generator.poisson(1.0, (200, 3)).astype(float)
    rolled = np.roll(cell, 17)
    ratio = np.stack([counts[rolled == k].mean(axis=0) for k in range(4)]) / counts.mean(axis=0)
    share = np.bincount(rolled)[:, None] / 200
    expected = (share * ratio * np.log2(ratio)).sum(axis=0)
    np.testing.assert_allclose(shifted_information(cell, counts, np.array([17]))[0], expected, atol=1e-8)


def test_power_false_discoveries_and_small_p_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codes, "CODED", 4)
    monkeypatch.setattr(codes, "SECONDS", 60.0)

    def measure(session: xr.Dataset, generator: np.random.Generator) -> np.ndarray:
        p_value = np.where(session["carries"].values, 0.0, 0.5)
        p_value[0, 0], p_value[1, -1] = 0.5, 0.0  # one unit of 14 is missed, one is false
        return p_value

    monkeypatch.setitem(codes.MEASURES, "exact", measure)
    counted = codes.summary(codes.tested("gain", 0, "exact")).loc["gain", "exact"]
    assert counted["power"] == pytest.approx(7 / 8)
    assert counted["tuned"] == 1
    assert counted["false_units"] == 1
    assert counted["false"] == pytest.approx((0 + 1 / 7 + 0) / 3)
    assert counted["share_p"] == pytest.approx(1 / (3 * 14 - 8 - 6))


def test_it_goes_on_where_it_was(tmp_path: Path) -> None:
    asked: list[tuple[str, int, str]] = []

    def case(kind: str, number: int, measure: str) -> pd.DataFrame:
        asked.append((kind, number, measure))
        if len(asked) == 2:
            raise KeyboardInterrupt
        return pd.DataFrame({"kind": [kind], "session": [number], "measure": [measure]})

    cases = [("gain", 0, "marginal"), ("flip", 0, "marginal")]
    with pytest.raises(KeyboardInterrupt):
        codes.run(tmp_path / "codes.csv", cases, case)
    rows = codes.run(tmp_path / "codes.csv", cases, case)
    assert asked == [cases[0], cases[1], cases[1]]
    assert rows["kind"].tolist() == ["gain", "flip"]


@pytest.mark.slow
def test_encoders_are_trained_and_their_maps_compared_with_the_truth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codes, "CODED", 6)
    monkeypatch.setattr(codes, "SECONDS", 90.0)
    training = {"steps": 4, "batch_size": 32, "seeds": 2, "nulls": 3, "device": "cpu"}
    monkeypatch.setattr(codes, "SETTINGS", {"training": training})
    rows = codes.ranked("gain", 0, "mlp")
    assert set(rows["score"]) == {"map", "z"}
    assert rows.loc[rows["carries"], "auroc"].between(0, 1).all()
