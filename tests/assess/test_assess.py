"""How sure are we: consistency, leak, verdicts."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from tests.support.conditions import conditions
from tests.support.make_results import LABELS, make_embedding, make_results, make_session, make_training
from xcebra_nwb.assess.consistency import corrected_maps, embedding_agreement
from xcebra_nwb.assess.grounds import grounds
from xcebra_nwb.assess.held_out import errors
from xcebra_nwb.assess.identifiability import leak
from xcebra_nwb.assess.label_course import predicted_by_others
from xcebra_nwb.assess.latents import Latents
from xcebra_nwb.assess.verdict import Evidence, verdict
from xcebra_nwb.attribution.comparison import map_agreement
from xcebra_nwb.attribution.null_test import score_maps
from xcebra_nwb.commands import assess as command
from xcebra_nwb.core import members, netcdf

SAMPLES = np.arange(1000)
TRAIN, TEST = SAMPLES[:700], SAMPLES[720:]


def lognormal(rng: np.random.Generator, maps: int, units: int = 50) -> np.ndarray:
    """Maps (map, 1, unit) with a firing-rate like pattern that all share."""
    pattern = np.linspace(-1, 1, units)
    return np.exp(pattern + 0.2 * rng.normal(size=(maps, 1, units)))


def test_a_label_that_follows_from_another_is_confounded_with_it() -> None:
    rng = np.random.default_rng(16)
    session = make_session(rng, bins=2000)
    angle = np.cumsum(rng.normal(0, 0.1, 2000))
    session["head_direction"][:] = np.mod(angle, 2 * np.pi)
    session["position"][:, 0] = np.cos(angle)
    session["position"][:, 1] = np.sin(angle) + 0.1 * rng.normal(size=2000)
    bins = np.flatnonzero(session["valid"].values)
    train, test = np.flatnonzero(bins % 200 < 150), np.flatnonzero(bins % 200 >= 160)
    for name, partner in (("position", "head_direction"), ("head_direction", "position")):
        found = predicted_by_others(session, bins, train, test)[name]
        assert found[partner] > 0.8
        assert found["choice"] < 0.5


def test_two_nulls_are_too_few_to_say() -> None:
    rng = np.random.default_rng(3)
    tested = score_maps(lognormal(rng, 2), lognormal(rng, 2))
    assert np.isnan(tested.z).all()
    assert np.isnan(tested.q_value).all()


def slow(rng: np.random.Generator, axes: int) -> np.ndarray:
    return np.sin(np.cumsum(rng.normal(scale=0.3, size=(len(SAMPLES), axes)), axis=0))


def test_leak_is_what_the_other_latents_know_of_a_block() -> None:
    rng = np.random.default_rng(7)
    block = slow(rng, 2)
    assert leak(np.hstack([block, block + 0.01]), 0, 2, TRAIN, TEST) > 0.9
    assert leak(np.hstack([block, rng.normal(size=block.shape)]), 0, 2, TRAIN, TEST) < 0.1
    assert np.isnan(leak(block, 0, 2, TRAIN, TEST))


def test_consistency_of_maps_and_embeddings() -> None:
    rng = np.random.default_rng(8)
    one = rng.normal(size=(1, 100, 3))
    turned = one @ rng.normal(size=(3, 3))
    assert embedding_agreement(np.concatenate([one, turned])) == pytest.approx(1)
    assert np.isnan(embedding_agreement(one))
    assert map_agreement(np.array([[1.0, 2, 3], [2.0, 4, 9]])) == pytest.approx(1)
    assert np.isnan(map_agreement(np.array([[1.0, 2, 3]])))


def test_what_all_maps_share_is_no_consistency_once_corrected() -> None:
    rng = np.random.default_rng(9)
    seeds, nulls = lognormal(rng, 3)[:, 0], lognormal(rng, 8)[:, 0]
    assert map_agreement(seeds) > 0.8
    assert abs(map_agreement(corrected_maps(seeds, nulls))) < 0.3


GOOD = Evidence(score=0.4, null_scores=(-0.2, -0.1, 0.02), consistency=0.8, carriers=12, units=31)


@pytest.mark.parametrize(
    ("change", "word", "reason"),
    [
        ({}, "supported", "0.40"),
        ({"score": 0.01}, "not encoded", "chance"),
        ({"score": float("nan")}, "not encoded", "held-out"),
        ({"score": 0.06, "null_scores": (0.08, 0.0, 0.0)}, "not encoded", "nulls"),
        ({"null_scores": (0.5, 0.1, 0.0)}, "not identifiable", "repeats itself"),
        ({"null_scores": (0.35, 0.1, 0.0)}, "weak", "beats"),
        ({"null_scores": (0.0, 0.0)}, "weak", "nulls"),
        ({"consistency": 0.3}, "weak", "agree"),
        ({"consistency": float("nan")}, "weak", "unknown"),
        ({"confounded": (("speed", 0.93),)}, "weak", "speed predicts it (0.93)"),
        ({"without_null": "a drift"}, "not identifiable", "a drift"),
    ],
)
def test_verdicts_follow_their_rules(change: dict, word: str, reason: str) -> None:
    found, because = verdict(dataclasses.replace(GOOD, **change), conditions())
    assert found == word
    assert reason in because
    assert "\n" not in because


def test_the_verdict_is_the_worst_that_its_grounds_and_conditions_leave() -> None:
    rng, order = np.random.default_rng(4), ["not encoded", "not identifiable", "weak", "supported"]
    seen = set()
    for _ in range(2000):
        predicted = rng.choice([np.nan, 0.1, 0.5, 0.9])
        changed = {
            "score": rng.choice([np.nan, 0.02, 0.2, 0.6]),
            "null_scores": tuple(rng.choice([-0.1, 0.04, 0.15, 0.7], rng.integers(0, 5))),
            "consistency": rng.choice([np.nan, 0.5, 0.8, 0.95]),
            "most_predicted": predicted,
            "confounded": (("speed", predicted),) if predicted > 0.5 else (),
        }
        judged = conditions(**rng.choice([{}, {"usable_bins": 0.1}, {"mixing": 0.95}, {"penalty": 0.0}]))
        evidence = dataclasses.replace(GOOD, **changed)
        costs = [c.otherwise for c in (*grounds(evidence), *judged) if c.holds is False and c.otherwise]
        found, _ = verdict(evidence, judged)
        assert found == min([*costs, "supported"], key=order.index), changed
        seen.add(found)
    assert seen == set(order)


@pytest.mark.parametrize("name", LABELS)
def test_every_member_is_judged_by_the_label_that_it_saw(name: str) -> None:
    rng = np.random.default_rng(11)
    session = make_session(rng)
    training = make_training(session, rng, 2, 3)
    latents = Latents(session, training, make_embedding(session, rng, 2, 3))
    values = session[name].values[latents.bins]
    for member, shift in enumerate(training["shift"].values):
        broken = member in latents.nulls(name)
        found = latents.label(name, member)
        np.testing.assert_array_equal(found.reshape(values.shape), np.roll(values, shift * broken, axis=0))
        assert np.array_equal(found, latents.label(name, 0)) != broken
    assert len(latents.nulls(name)) == 3


@pytest.mark.slow
def test_nulls_are_decoded_from_the_label_that_they_saw(tmp_path: Path) -> None:
    make_results(tmp_path)
    embedding = netcdf.load_dataset(tmp_path / "embedding.nc")
    bins = np.flatnonzero(np.isfinite(embedding["embedding"].values[0]).all(axis=1))
    seed = embedding["embedding"].values[0, bins]
    for null in members.nulls(embedding, "head_direction"):  # each carries the label that it was trained on
        embedding["embedding"][null, bins] = np.roll(seed, int(embedding["shift"][null]), axis=0)
    netcdf.save_dataset(embedding, tmp_path / "embedding.nc")
    command.assess(tmp_path)
    found = json.loads((tmp_path / "assessment.json").read_text())["labels"]["head_direction"]
    assert [ground["name"] for ground in found["grounds"]] == ["score", "nulls", "excess", "shown_map", "predicted_by"]
    assert found["decoding"]["score"] > 0.8
    assert min(found["decoding"]["nulls"]) > 0.8
    decoded = netcdf.load_dataset(tmp_path / "decoded.nc")
    session = netcdf.load_dataset(tmp_path / "session.nc", ("activity",))
    np.testing.assert_array_equal(decoded["time"], session["time"][decoded["bin"].values])
    assert (netcdf.load_dataset(tmp_path / "training.nc")["split"].values[decoded["bin"].values] == 1).all()
    for name, kind in zip(LABELS, ("continuous", "circular", "discrete"), strict=True):
        true, read = decoded[f"{name}_true"].values, decoded[f"{name}_decoded"].values
        np.testing.assert_allclose(true, session[name].values[decoded["bin"].values], rtol=1e-6)
        failed, of_nulls = errors(true, read[0], kind), decoded[f"{name}_null_error"].values
        assert failed.shape == of_nulls[0].shape == true.shape[:1]
        known = name != "choice"  # of which the held-out bins have one class
        assert (np.isfinite(failed) == known).all()
        assert np.isfinite(of_nulls).all() or not known
    read, true = decoded["position_decoded"].values[0], decoded["position_true"].values
    score = 1 - np.square(read - true).sum() / np.square(true - true.mean(axis=0)).sum()
    entry = json.loads((tmp_path / "assessment.json").read_text())["labels"]["position"]["decoding"]
    assert score == pytest.approx(entry["seeds"][0], rel=1e-3)
