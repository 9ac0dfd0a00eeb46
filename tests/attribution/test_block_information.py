"""What a block of latents tells about units: those that follow it are told from those that do not, beyond nulls."""

import numpy as np
import pytest
import xarray as xr

from xcebra_nwb.attribution.block_information import NAMES, block_information
from xcebra_nwb.benchmark.null_population import LABELS, population
from xcebra_nwb.core.config.schema import validate
from xcebra_nwb.core.session import label_features
from xcebra_nwb.training.design.split import split_session

OUTPUTS = 4


@pytest.fixture(scope="module")
def session() -> xr.Dataset:
    return population("leak", 20, 120.0, np.random.default_rng(0))


def told(session: xr.Dataset, seeds: int, nulls: int, label: str = LABELS[0]) -> xr.Dataset:
    """The result for encoders whose block is the label with noise; that of a null is the label a third further on."""
    generator = np.random.default_rng(1)
    bins = session.sizes["time"]
    features = label_features(session[label].values, session[label].attrs["kind"])
    true = np.hstack([features, np.zeros((bins, OUTPUTS - features.shape[1]))])
    moved = np.roll(true, bins // 3, axis=0)
    latents = np.stack([true] * seeds + [moved] * nulls) + generator.normal(0, 0.1, (seeds + nulls, bins, OUTPUTS))
    columns = {
        "role": ("member", ["seed"] * seeds + ["null"] * nulls),
        "broken": ("member", [""] * seeds + [label] * nulls),
        "number": ("member", [*range(seeds), *range(nulls)]),
        "label": ("objective", [label]),
        "first_latent": ("objective", [0]),
        "last_latent": ("objective", [OUTPUTS]),
    }
    embedding = xr.Dataset({"embedding": (("member", "time", "latent"), latents.astype(np.float32))})
    return block_information(session, split_session(session, validate({})), xr.Dataset(columns), embedding)


def test_units_that_follow_the_block_are_told_from_the_others(session: xr.Dataset) -> None:
    result = told(session, seeds=3, nulls=3)
    middle, low, high = (result[name].values[0] for name in NAMES)
    carries = session["carries"].values[0]
    assert ((low < middle) & (middle < high)).all()
    assert (low > 0)[carries].mean() > 0.8
    assert (low > 0)[~carries].mean() < 0.2
    assert middle[carries].min() > np.median(middle[~carries])
    assert result[NAMES[0]].attrs["units"] == "bit/spike"
    assert not result.attrs


def test_what_is_not_known_is_nan_with_its_reason(session: xr.Dataset) -> None:
    lone = told(session, seeds=1, nulls=1)
    assert np.isfinite(lone[NAMES[0]].values).all()
    for name in NAMES[1:]:
        assert np.isnan(lone[name].values).all()
        assert "2 seeds and 2 nulls" in lone.attrs[f"{name}_reason"]
    without = told(session, seeds=2, nulls=0)
    assert np.isnan(without[NAMES[0]].values).all()
    assert "null of the label" in without.attrs[f"{NAMES[0]}_reason"]


def test_a_silent_unit_is_nan_and_the_others_are_not(session: xr.Dataset) -> None:
    changed = session.copy(deep=True)
    changed["activity"][:, 3] = 0
    known = np.isfinite(told(changed, 2, 2)[NAMES[0]].values[0])
    assert np.flatnonzero(~known).tolist() == [3]
