"""``XCEBRA`` is an estimator like others of scikit-learn: checked by its own checks, in pipelines and in searches."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from xcebra_nwb import XCEBRA, BlockSplit

NO_SHORT_DATA = {"held_out_blocks": 1, "batch_size": 4, "regularizer": {"weight": 0.0}}
FAILED = {
    "check_estimators_nan_inf": "its 10 samples have no class with the five training bins that a label needs",
    "check_n_features_in_after_fitting": "its 15 samples have only one class with five training bins",
}


def quick(**given: Any) -> XCEBRA:
    """Return an estimator that is trained in a moment."""
    short = {"steps": 5, "batch_size": 32, "seeds": 2, "nulls": 0, "maps": False, "units": "a.u.", "bin_width": 0.1}
    return XCEBRA(**(short | given))


def walk(bins: int = 300) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return activity (time, unit), a position (time,) and a direction (time,)."""
    rng = np.random.default_rng(0)
    position = np.cumsum(rng.normal(size=bins)) / 10
    angle = np.mod(np.cumsum(rng.normal(size=bins)) / 3, 2 * np.pi)
    columns = [position, -position, np.cos(angle), np.sin(angle), rng.normal(size=bins)]
    return np.stack(columns, axis=1), position, angle


@pytest.mark.thorough
@parametrize_with_checks(
    [quick(steps=2, seeds=1, config={"training": NO_SHORT_DATA}, batch_size=4)],
    expected_failed_checks=lambda estimator: FAILED,
)
def test_scikit_learn_checks(estimator: XCEBRA, check: Any) -> None:
    check(estimator)


def test_latents_of_the_fitted_bins_are_those_of_the_training() -> None:
    activity, position, angle = walk()
    model = quick().fit(activity, position=position, head_direction=angle)
    assert model.labels_ == ["position", "head_direction"]
    np.testing.assert_array_equal(model.transform(activity), model.embedding_)
    assert model.get_feature_names_out().tolist() == [f"xcebra{i}" for i in range(model.embedding_.shape[1])]
    half = model.transform(activity[:150])  # standardised by the whole, as at the fit
    np.testing.assert_allclose(half, model.embedding_[:150], rtol=1e-5, atol=1e-6)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.transform(activity), model.embedding_)
    assert again.score(activity, position=position) == model.score(activity, position=position)


def test_the_window_of_an_encoder_ends_at_a_segment() -> None:
    activity, position, _ = walk()
    segments = np.repeat([0, 1], 150)
    model = quick(architecture="conv10").fit(activity, position=position, segments=segments)
    known = np.isfinite(model.transform(activity, segments)).all(axis=1)
    np.testing.assert_array_equal(known, np.isfinite(model.embedding_).all(axis=1))
    assert not known[145:155].all()
    assert known.sum() == 300 - 2 * 9


def test_scores_are_of_new_bins_by_label() -> None:
    activity, position, angle = walk(600)
    train, test = slice(0, 300), slice(300, 600)
    model = quick(steps=40).fit(activity[train], position=position[train], head_direction=angle[train])
    both = model.score(activity[train], position=position[train], head_direction=angle[train])
    one = model.score(activity[train], position=position[train])
    assert one > 0.8
    assert both > 0.5
    assert model.score(activity[test], head_direction=angle[test]) < 1
    with pytest.raises(ValueError, match="it was not fitted"):
        model.score(activity[train], speed=position[train])
    shuffled = np.random.default_rng(1).permutation(position[train])
    assert (
        quick(steps=40, seeds=1).fit(activity[train], position=shuffled).score(activity[train], position=shuffled) < one
    )


def test_classes_are_matched_by_name() -> None:
    activity, position, _ = walk()
    sides = np.where(position > np.median(position), "right", "left")
    model = quick(steps=60).fit(activity, side=sides)
    assert model.classes_by_label_["side"] == ("left", "right")
    known = sides[::2].copy()
    assert model.score(activity[::2], side=known) > 0.8
    with pytest.raises(ValueError, match="not 150 values of the kind discrete"):
        model.score(activity[::2], side=position[::2])


def test_labels_are_a_table_too() -> None:
    activity, position, angle = walk()
    table = pd.DataFrame({"position": position, "head_direction": angle})
    model = quick().fit(activity, table)
    named = quick().fit(activity, position=position, head_direction=angle)
    np.testing.assert_array_equal(model.embedding_, named.embedding_)
    vector = pd.concat({"place": pd.DataFrame({"x": position, "y": np.cos(angle)})}, axis=1)
    assert quick().fit(activity, vector).labels_ == ["place"]


def test_a_table_with_gaps_in_its_index_has_segments() -> None:
    activity, position, _ = walk()
    kept = np.r_[0:100, 200:300]
    table = pd.DataFrame({"position": position})
    model = quick(architecture="conv10").fit(activity[kept], table.iloc[kept])
    assert np.isnan(model.embedding_).any(axis=1).sum() == 2 * 9


def test_settings_are_kept_and_cloned() -> None:
    model = quick(outputs=4, kinds={"position": "continuous"})
    assert clone(model).get_params() == model.get_params()
    assert model.set_params(steps=7).steps == 7
    activity, position, _ = walk()
    assert model.fit(activity, position=position).embedding_.shape == (300, 4)
    assert model.random_state == 0


@pytest.mark.slow
def test_a_pipeline_a_grid_search_and_blocks_of_time() -> None:
    """Nine trainings of at most 40 steps: a search cannot do with less."""
    activity, position, angle = walk()
    table = pd.DataFrame({"position": position, "head_direction": angle})
    pipeline = make_pipeline(StandardScaler(), quick())
    pipeline.fit(activity, xcebra__position=position)
    assert pipeline.transform(activity).shape[0] == 300
    blocks = BlockSplit(2, gap=5)
    scores = cross_val_score(quick(seeds=1), activity, table, cv=blocks, error_score="raise")
    assert scores.shape == (2,)
    assert np.isfinite(scores).all()
    search = GridSearchCV(quick(seeds=1), {"steps": [3, 40]}, cv=blocks, error_score="raise")
    search.fit(activity, table[["position"]])
    assert search.best_params_["steps"] in (3, 40)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_.transform(activity).shape[0] == 300


def test_blocks_leave_a_gap_on_both_sides() -> None:
    for train, test in BlockSplit(4, gap=3).split(np.zeros((100, 2))):
        assert np.ptp(test) == len(test) - 1
        assert np.abs(train[:, None] - test[None]).min() == 4
    with pytest.raises(ValueError, match="n_splits=1"):
        next(BlockSplit(1).split(range(10)))


@pytest.mark.parametrize(
    ("given", "said"),
    [({}, "requires y"), ({"position": np.ones(300)}, "constant"), ({"position": np.arange(3)}, "3 values")],
)
def test_data_that_do_not_suffice_are_value_errors(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        quick().fit(walk()[0], **given)
