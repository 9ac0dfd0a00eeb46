"""Decoding a label from the latents: which score is reached, and on which samples."""

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsRegressor

from xcebra_nwb.xcebra import decoding
from xcebra_nwb.xcebra.decoding import Decoder, decoding_score

SAMPLES = np.arange(1000)
TRAIN, TEST = SAMPLES[:700], SAMPLES[720:]


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
