"""Which bins train and which are held out: no raw bin is seen from both sides, and what is left must be enough."""

import numpy as np
import pytest

from tests.support.make_results import make_session
from xcebra_nwb.core.activity import encoder_input, smoothing_reach
from xcebra_nwb.core.config import schema
from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.training.design.split import WINDOWS, split_session, trainable_split
from xcebra_nwb.xcebra.sampling.windows import HELD_OUT, TRAIN, window_offsets

REACH = 8  # bins: four standard deviations of 0.1 s in bins of 0.05 s


def raw_bins(bins: np.ndarray, window: int, reach: int) -> set[int]:
    """Every bin of the recording from which smoothing carries a spike into a window around ``bins``."""
    return {int(b) for o in window_offsets(window) for r in range(-reach, reach + 1) for b in bins + o + r}


def test_smoothing_carries_a_spike_as_far_as_its_reach() -> None:
    session = make_session(np.random.default_rng(0))
    session["activity"].attrs |= {"smoothing": 0.1, "standardize": 0}
    session["activity"][:] = 0.0
    session["activity"][100, 0] = 1.0
    assert smoothing_reach(session) == REACH
    np.testing.assert_array_equal(np.flatnonzero(encoder_input(session)[:, 0]), np.arange(100 - REACH, 101 + REACH))


@pytest.mark.parametrize("name", ["mlp", "conv10"])
@pytest.mark.parametrize(("smoothing", "reach"), [(0.0, 0), (0.1, REACH)])
def test_no_raw_bin_is_seen_both_in_training_and_held_out(name: str, smoothing: float, reach: int) -> None:
    session = make_session(np.random.default_rng(0))
    session["activity"].attrs["smoothing"] = smoothing
    split = split_session(
        session, schema.validate({"encoder": {"architecture": name}, "training": {"held_out_blocks": 3}})
    )
    train, held_out = (np.flatnonzero(split.part == part) for part in (TRAIN, HELD_OUT))
    assert split.guard == WINDOWS[name] - 1 + 2 * reach
    assert np.abs(train[:, None] - held_out).min() == split.guard + 1  # no bin is lost beyond the guard
    assert not raw_bins(train, WINDOWS[name], reach) & raw_bins(held_out, WINDOWS[name], reach)


def test_bins_that_the_guards_leave_too_few_of_are_refused() -> None:
    session = make_session(np.random.default_rng(0))
    chosen = schema.validate({"training": {"batch_size": 128, "held_out_blocks": 10}})
    session["activity"].attrs["smoothing"] = 0.0
    trainable_split(session, chosen)
    session["activity"].attrs["smoothing"] = 0.5
    with pytest.raises(Refusal, match="guards of 80 bins round 10 held-out stretches"):
        trainable_split(session, chosen)
