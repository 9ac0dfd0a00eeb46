"""How sure are we: nulls, decoding, consistency, leak, verdicts."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsRegressor

from xcebra_nwb.assess.consistency import corrected_maps, embedding_agreement
from xcebra_nwb.assess.identifiability import leak
from xcebra_nwb.assess.label_course import predicted_by_others
from xcebra_nwb.assess.latents import Latents
from xcebra_nwb.assess.verdict import Evidence, verdict
from xcebra_nwb.attribution.comparison import map_agreement
from xcebra_nwb.attribution.moderated_variance import half_interval, moderated
from xcebra_nwb.attribution.null_test import bulk, rank_p_value, resolution, score_maps, smallest_q, unit_norm
from xcebra_nwb.commands import assess as verb
from xcebra_nwb.core import members, netcdf
from xcebra_nwb.xcebra import decoding
from xcebra_nwb.xcebra.decoding import Decoder, decoding_score

from .conditions import conditions
from .results import LABELS, make_embedding, make_results, make_session, make_training

SAMPLES = np.arange(1000)
TRAIN, TEST = SAMPLES[:700], SAMPLES[720:]


def lognormal(rng: np.random.Generator, maps: int, units: int = 50) -> np.ndarray:
    """Maps (map, 1, unit) with a firing-rate like pattern that all share."""
    pattern = np.linspace(-1, 1, units)
    return np.exp(pattern + 0.2 * rng.normal(size=(maps, 1, units)))


def test_units_that_carry_nothing_have_uniform_p_values() -> None:
    shares = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        p = score_maps(lognormal(rng, 1), lognormal(rng, 8)).p_value
        shares.append((p <= 0.05).mean())
    assert 0.03 <= np.mean(shares) <= 0.07


def test_units_that_carry_the_label_are_found_with_eight_nulls_whatever_their_share() -> None:
    rng = np.random.default_rng(1)
    for carriers in (5, 20):
        seeds = lognormal(rng, 2)
        seeds[:, :, :carriers] *= 5
        tested = score_maps(seeds, lognormal(rng, 8))
        assert (tested.q_value[0, :carriers] <= 0.05).mean() > 0.9
        assert (tested.q_value[0, carriers:] <= 0.05).mean() < 0.05


def test_the_overall_size_of_a_map_does_not_matter() -> None:
    rng = np.random.default_rng(2)
    seeds, nulls = lognormal(rng, 2), lognormal(rng, 8)
    tested, scaled = score_maps(seeds, nulls), score_maps(7 * seeds, nulls * np.arange(1, 9)[:, None, None])
    np.testing.assert_allclose(tested.z, scaled.z, rtol=1e-8)


def test_every_seed_counts_alike_however_large_its_map() -> None:
    rng = np.random.default_rng(2)
    seeds, nulls = lognormal(rng, 2), lognormal(rng, 8)
    seeds[0, :, :5] *= 5
    larger = seeds * np.array([1000.0, 1.0])[:, None, None]
    for one, other in zip(score_maps(seeds, nulls), score_maps(larger, nulls), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-8)


@pytest.mark.parametrize(("seeds", "size"), [(1, 1.0), (4, 1.0), (4, 0.5)])
def test_averaged_seeds_and_a_single_encoder_are_held_to_the_same_level(seeds: int, size: float) -> None:
    """Units carry nothing; with the true label encoders may vary less than nulls do, as where a label is encoded."""
    shares = []
    for number in range(20):
        rng = np.random.default_rng([number, seeds])
        noise = lognormal(rng, seeds) / lognormal(rng, 1).mean()
        pattern = np.exp(np.linspace(-1, 1, 50))
        true = pattern * (noise / pattern) ** size
        shares.append((score_maps(true, lognormal(rng, 8)).p_value <= 0.05).mean())
    assert 0.02 <= np.mean(shares) <= 0.08


def test_units_that_carry_nothing_are_not_found_beside_those_that_do() -> None:
    """With the label encoded the others' shares move too, each a little its own way: the bulk shows how far."""
    small, proportion, power = [], [], []
    for number in range(20):
        rng = np.random.default_rng([number, 7])
        carries = np.arange(100) < 20
        moved = np.exp(0.15 * rng.normal(size=100) + np.where(carries, 1.5, -0.1))
        pattern = np.exp(np.linspace(-1, 1, 100))
        seeds = pattern * (lognormal(rng, 3, 100) / pattern) ** 0.7 * moved
        tested = score_maps(seeds, lognormal(rng, 8, 100))
        found = tested.q_value[0] <= 0.05
        small.append((tested.p_value[0, ~carries] <= 0.05).mean())
        proportion.append(found[~carries].sum() / max(1, found.sum()))
        power.append(found[carries].mean())
    assert 0.02 <= np.mean(small) <= 0.08
    assert np.mean(proportion) <= 0.08
    assert np.mean(power) > 0.9


def test_the_bulk_is_found_whatever_stands_out() -> None:
    rng = np.random.default_rng(12)
    centre, variance = bulk(np.r_[rng.normal(1, 0.5, 300), rng.normal(8, 1, 150)])
    assert (centre, variance) == (pytest.approx(1, abs=0.1), pytest.approx(0.25, rel=0.35))
    assert bulk(np.array([0.0, 5.0, 1.0])) == (1.0, 0.0)


def test_the_interval_over_seeds_covers_the_mean_of_all_seeds() -> None:
    rng = np.random.default_rng(13)
    seeds = rng.normal(size=(2, 2000)) * np.exp(0.3 * rng.normal(size=2000))
    covered = np.abs(seeds.mean(axis=0)) <= half_interval(seeds)
    assert covered.mean() == pytest.approx(0.95, abs=0.02)
    assert np.isnan(half_interval(seeds[:1])).all()


def test_the_smallest_q_is_that_of_all_units_beyond_every_null() -> None:
    rng = np.random.default_rng(14)
    assert smallest_q(4, 12) == (pytest.approx(1 / 49), pytest.approx(12 / 49))
    assert resolution(4, 12) == (
        "with 4 nulls of 12 units the smallest q is 0.02, and 0.24 for a unit that stands out alone"
    )
    seeds = lognormal(rng, 2, 12)
    seeds[:, :, 0] *= 1e3
    assert score_maps(seeds, lognormal(rng, 4, 12)).q_value.min() == pytest.approx(12 / 49)


def test_labels_with_fewer_nulls_than_others_are_tested_with_their_own() -> None:
    rng = np.random.default_rng(15)
    seeds, nulls = lognormal(rng, 2), lognormal(rng, 8)
    padded = np.concatenate([nulls, nulls], axis=1)
    padded[5:, 1] = np.nan
    both, alone = score_maps(np.concatenate([seeds, seeds], axis=1), padded), score_maps(seeds, nulls[:5])
    np.testing.assert_array_equal(both.p_value[1], alone.p_value[0])
    padded[2:, 1] = np.nan
    assert np.isnan(score_maps(np.concatenate([seeds, seeds], axis=1), padded).z).all(axis=1).tolist() == [False, True]


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


def test_a_null_score_as_large_as_all_others_has_the_smallest_p() -> None:
    assert rank_p_value(np.array([9.0, 0.5, np.nan]), np.arange(4.0)).tolist() == [
        pytest.approx(0.2),
        pytest.approx(0.8),
        pytest.approx(np.nan, nan_ok=True),
    ]


def test_a_null_as_large_as_the_score_counts_against_it() -> None:
    assert rank_p_value(np.array([3.0]), np.array([0.0, 1, 2, 3])).tolist() == [pytest.approx(0.4)]


def test_variances_are_drawn_together_and_zero_stays_unknown() -> None:
    rng = np.random.default_rng(4)
    variance = np.r_[rng.normal(size=(8, 400)).var(axis=0, ddof=1), 0.0]
    found = moderated(variance, 7).variance
    assert np.isnan(found[-1])
    assert found[:-1].std() < 0.2 * variance[:-1].std()
    assert found[:-1].mean() == pytest.approx(1, abs=0.1)


def test_a_map_of_zeros_has_no_unit_norm() -> None:
    assert np.isnan(unit_norm(np.zeros((1, 3)))).all()
    np.testing.assert_allclose(np.linalg.norm(unit_norm(np.array([[3.0, 4.0]]))), 1)


def slow(rng: np.random.Generator, axes: int) -> np.ndarray:
    return np.sin(np.cumsum(rng.normal(scale=0.3, size=(len(SAMPLES), axes)), axis=0))


@pytest.mark.parametrize("kind", ["continuous", "circular", "discrete"])
def test_decoding_finds_what_the_latents_hold_and_only_that(kind: str) -> None:
    rng = np.random.default_rng(5)
    latents = slow(rng, 2)
    values = {
        "continuous": latents @ [[1.0, 0.2], [-0.3, 1.0]],
        "circular": np.arctan2(latents[:, :1], latents[:, 1:]),
        "discrete": (latents[:, 0] > 0).astype(int) + (latents[:, 1] > 0),
    }[kind]
    assert decoding_score(latents, values, TRAIN, TEST, kind) > 0.8
    assert decoding_score(rng.normal(size=latents.shape), values, TRAIN, TEST, kind) < 0.1


def test_the_number_of_neighbours_is_chosen_where_nothing_is_tested() -> None:
    """Near latent 0, at the training part's end, labels are noise (many neighbours); near 10, in the test, clean."""
    rng = np.random.default_rng(10)
    clean = np.where(SAMPLES < 700, SAMPLES % 2 == 0, True) & ~((SAMPLES >= 525) & (SAMPLES < 700))
    place = rng.uniform(0, 1, len(SAMPLES))
    values = np.where(clean, np.sin(20 * place), rng.normal(size=len(SAMPLES)))[:, None]
    latents = np.where(clean, 10 + place, place)[:, None]

    def scored(neighbours: int) -> float:
        return KNeighborsRegressor(neighbours).fit(latents[TRAIN], values[TRAIN]).score(latents[TEST], values[TEST])

    assert scored(5) > 0.9 > scored(125)
    assert decoding_score(latents, values, TRAIN, TEST, "continuous") == pytest.approx(scored(125))


def test_a_decoder_of_many_samples_is_scored_on_evenly_spaced_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(17)
    latents = rng.normal(size=(1000, 2))
    values = latents[:, :1] + rng.normal(size=(1000, 1))
    some = decoding_score(latents, values, TRAIN[:100], TEST[::7], "continuous")
    monkeypatch.setattr(decoding, "MOST_SCORED", 40)
    assert decoding_score(latents, values, TRAIN[:100], TEST, "continuous") == some


def test_labels_that_one_decoder_reads_score_as_they_do_alone() -> None:
    rng = np.random.default_rng(18)
    latents = rng.normal(size=(1000, 2))
    labels = [(np.sin(latents + noise * rng.normal(size=(1000, 1))), "continuous") for noise in (0.0, 2.0)]
    labels.append(((latents[:, 0] > 0).astype(int), "discrete"))
    decoder = Decoder(latents, TRAIN, TEST)
    assert [decoder.score(*label) for label in labels] == [
        decoding_score(latents, v, TRAIN, TEST, k) for v, k in labels
    ]


def test_decoding_scores_nothing_where_the_label_stands_still() -> None:
    rng = np.random.default_rng(6)
    constant = np.where(SAMPLES[:, None] < 710, SAMPLES[:, None], 1.0)
    assert np.isnan(decoding_score(rng.normal(size=(1000, 2)), constant, TRAIN, TEST, "continuous"))
    assert np.isnan(decoding_score(rng.normal(size=(1000, 2)), np.zeros(1000, int), TRAIN, TEST, "discrete"))


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


GOOD = Evidence(score=0.4, null_scores=(-0.2, -0.1, 0.02), consistency=0.8, significant=12, units=31)


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


def test_nulls_are_decoded_from_the_label_that_they_saw(tmp_path: Path) -> None:
    make_results(tmp_path)
    embedding = netcdf.load_dataset(tmp_path / "embedding.nc")
    bins = np.flatnonzero(np.isfinite(embedding["embedding"].values[0]).all(axis=1))
    seed = embedding["embedding"].values[0, bins]
    for null in members.nulls(embedding, "head_direction"):  # each carries the label that it was trained on
        embedding["embedding"][null, bins] = np.roll(seed, int(embedding["shift"][null]), axis=0)
    netcdf.save_dataset(embedding, tmp_path / "embedding.nc")
    verb.assess(tmp_path)
    found = json.loads((tmp_path / "assessment.json").read_text())["labels"]["head_direction"]
    assert found["decoding"]["score"] > 0.8
    assert min(found["decoding"]["nulls"]) > 0.8
