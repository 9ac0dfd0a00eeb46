"""The quality of what was extracted: which bins were taken out by what, and which labels go together."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tests.support.make_results import make_session
from tests.support.nwb_matrix import LABELS, MASKS, write_file
from tests.support.nwb_storage import TIMESTAMPS
from xcebra_nwb.core.config.schema import validate
from xcebra_nwb.nwb.extraction.extract import extract_session
from xcebra_nwb.report.figures.quality import correlation_words, correlations, masks_figure


def with_labels(**values: tuple[str, np.ndarray]) -> xr.Dataset:
    """A session with these labels by kind and values (time, ...)."""
    session = make_session(np.random.default_rng(0), labels=[])
    for name, (kind, value) in values.items():
        dims = ("time", f"{name}_axis")[: value.ndim]
        session[name] = (dims, value, {"role": "label", "kind": kind})
    return session


def test_correlations_of_labels_of_every_kind() -> None:
    rng = np.random.default_rng(1)
    angle, noise = rng.uniform(-np.pi, np.pi, 600), rng.normal(size=600)
    place = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    session = with_labels(
        angle=("circular", angle),
        place=("continuous", 3 * place + 7),
        side=("discrete", (angle > 0).astype(int)),
        noise=("continuous", noise),
        other=("continuous", noise + 2 * rng.normal(size=600)),
    )
    names, matrix = correlations(session)
    assert names == ["angle", "place", "side", "noise", "other"]
    assert np.array_equal(matrix, matrix.T) and np.all(np.diag(matrix) == 1)
    assert matrix[0, 1] == pytest.approx(1)
    assert matrix[0, 2] == pytest.approx(0.9, abs=0.03)  # a sine and its sign
    assert matrix[0, 3] < 0.15
    used = session["valid"].values
    pearson = np.corrcoef(session["noise"].values[used], session["other"].values[used])[0, 1]
    assert matrix[3, 4] == pytest.approx(pearson)
    words = correlation_words(names, matrix)
    assert words.startswith("Hard to tell apart: angle and place (1.00), ") and "noise" not in words
    assert correlation_words(names[3:], np.eye(2)) == "No two labels correlate along a line by 0.7 or more."


def test_every_masked_bin_says_by_what(tmp_path: Path) -> None:
    mask = next(mask for mask in MASKS if mask.name == "invalid_times")
    label = next(label for label in LABELS if label.name == "trial_texts")
    path = write_file(tmp_path / "case.nwb", "units", label, mask, TIMESTAMPS)
    config = {"labels": {"it": label.config}, "neural": {"min_spikes": 0}, "time": {"bin_width": 1.0}}
    dataset = extract_session(path, validate(config), "case")
    reasons = list(json.loads(dataset.attrs["masks"]))
    said = [reasons[code] if code >= 0 else "" for code in dataset["masked_by"].values]
    assert {bin for bin, reason in enumerate(said) if reason == "inside invalid_times"} == set(mask.gone)
    assert {bin for bin, reason in enumerate(said) if reason == "it missing"} == {7}
    assert np.array_equal(dataset["masked_by"].values < 0, dataset["valid"].values)


def test_more_reasons_than_colours_share_the_last_one() -> None:
    session = make_session(np.random.default_rng(0))
    session.attrs["masks"] = json.dumps({f"reason {number}": 2 for number in range(10)})
    session["masked_by"].values[300:320] = np.repeat(np.arange(10), 2)
    (legend,) = [axes.get_legend() for axes in masks_figure(session).axes]
    words = [text.get_text() for text in legend.get_texts()]
    assert words[:2] == ["in use (96.7\xa0%)", "reason 0 (0.3\xa0%)"]
    assert words[-1] == "other reasons (1.0\xa0%)" and len(words) == 9
