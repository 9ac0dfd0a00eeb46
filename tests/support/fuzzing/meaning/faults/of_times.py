"""Faults of clocks and timestamps."""

from __future__ import annotations

import h5py
import numpy as np

from tests.support.fuzzing.meaning.fault import change, fault, replace
from tests.support.fuzzing.meaning.twins import DIRECTION, POSITION, SPEED, Settings, Twin
from xcebra_nwb.core.refusals import Code

CLOCK = (Code.TIMES_NOT_TRUSTED, Code.NO_COMMON_TIME)
NAMED = (
    r"millisecond|sample numbers|frame|whole second|float32|single|precision|resolution|clock|time.*(wrong|lie|trust)"
)
BRIDGED = r"time\.max_gap|time\.bin_width"  # a longer gap would be bridged, with values of another time


def clocks(rng: np.random.Generator) -> list[str]:
    """Return the timestamps of the position, of the direction or of both."""
    both = [f"{POSITION}/timestamps", f"{DIRECTION}/timestamps"]
    return [both, both[:1], both[1:]][int(rng.integers(3))]


@fault("roaming", *CLOCK, named=NAMED, wrong_remedy=BRIDGED)
def milliseconds(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Behaviour in milliseconds."""
    for path in clocks(rng):
        change(h5, path, lambda times: times * 1000)


@fault("roaming", *CLOCK, named=NAMED, wrong_remedy=BRIDGED)
def milliseconds_of_a_part(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Behaviour of a small part of the recording, in milliseconds: the lengths differ by less than a thousand."""
    kept = int(len(twin.times) * rng.uniform(0.08, 0.3))
    for path in (POSITION, DIRECTION):
        change(h5, f"{path}/data", lambda values: values[:kept])
        change(h5, f"{path}/timestamps", lambda times: np.round(times[:kept] * 1000))


@fault("roaming", *CLOCK, named=NAMED, wrong_remedy=BRIDGED)
def frame_numbers(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Frame numbers instead of times."""
    for path in clocks(rng):
        change(h5, path, lambda times: np.arange(len(times), dtype=float))


@fault("roaming", *CLOCK, named=NAMED, wrong_remedy=BRIDGED)
def whole_seconds(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Times cut to whole seconds, so that all samples of a second have one time."""
    for path in clocks(rng):
        change(h5, path, np.floor)


@fault("roaming", *CLOCK, named=NAMED, wrong_remedy=BRIDGED, settings=Settings(start=(4e5, 5e7)))
def float32_times(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Late times stored with 32 bits, in steps of 0.03 to 4 s."""
    for path in clocks(rng):
        replace(h5, path, h5[path][()].astype(np.float32))


@fault("roaming", *CLOCK)
def posix_behaviour(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Behaviour in seconds since 1970, spikes since the start."""
    for path in (POSITION, DIRECTION):
        change(h5, f"{path}/timestamps", lambda times: times + 1.7e9)


@fault("roaming", *CLOCK, named=r"little time|share|clock|not taken")
def shifted_clock(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Behaviour that starts when the spikes have ended, by its own clock."""
    shift = twin.seconds * rng.uniform(1.01, 3.0)
    for path in (POSITION, DIRECTION):
        change(h5, f"{path}/timestamps", lambda times: times + shift)


@fault("roaming")
def unsorted_times(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Samples that are not in the order of time."""
    order = np.arange(len(twin.times))
    moved = rng.integers(0, len(order) - 1, 20)
    order[moved], order[moved + 1] = order[moved + 1].copy(), order[moved].copy()
    order = np.unique(order) if len(set(order.tolist())) < len(order) else order
    for path in (POSITION, DIRECTION):
        change(h5, f"{path}/timestamps", lambda times: times[order])
        change(h5, f"{path}/data", lambda values: values[order])


@fault("roaming", Code.TIMES_NOT_TRUSTED, named=r"zero|at 0|\b0 s\b|left out|repeat")
def zero_stamps(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Frames whose time is 0, at the end and in between."""
    count = len(twin.times)
    lost = rng.random(count) < rng.uniform(0.005, 0.03)
    lost[count - int(rng.integers(10, count // 8)) :] = True
    for path in clocks(rng):
        change(h5, path, lambda times: np.where(lost, 0.0, times))


@fault("roaming")
def missing_stamps(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Samples at times that are NaN or infinite."""
    odd = rng.choice([np.nan, np.inf, -np.inf])
    for path in clocks(rng):
        change(h5, path, lambda times: np.where(rng.random(len(times)) < 0.05, odd, times))


@fault("roaming", *CLOCK, Code.NO_LABEL)
def restarted_clock(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """A clock that starts again half way."""
    half = int(len(twin.times) * rng.uniform(0.3, 0.7))
    for path in clocks(rng):
        change(h5, path, lambda times: np.r_[times[:half], times[: len(times) - half]])


@fault("roaming", *CLOCK, named=r"absurd|left out")
def absurd_stamps(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """A few times that lie years away."""
    for path in clocks(rng):
        change(h5, path, lambda times: np.r_[times[:-3], times[-3:] + rng.choice([1e8, 1e10, -1e9])])


@fault("imaging", *CLOCK, Code.UNREADABLE_LAYOUT)
def unit_of_stamps(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Times in milliseconds whose attribute says so."""
    change(h5, f"{SPEED}/timestamps", lambda times: times * 1000)
    h5[f"{SPEED}/timestamps"].attrs["unit"] = str(rng.choice(["milliseconds", "ms", "millisecond"]))


@fault("imaging", *CLOCK, Code.UNREADABLE_LAYOUT, named=NAMED, wrong_remedy=BRIDGED)
def period_as_rate(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """The period in s, or the rate in kHz, as the rate of a series."""
    _with_rate(h5, twin, float(rng.choice([1 / twin.rate, twin.rate / 1000])))


@fault("imaging", *CLOCK, Code.TOO_SHORT, Code.NO_USABLE_BIN, named=NAMED + r"|lasts|covers")
def rate_in_hertz_of_milliseconds(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """A rate that is a thousand times too high: all behaviour within a fraction of a second."""
    _with_rate(h5, twin, twin.rate * 1000)


def _with_rate(h5: h5py.File, twin: Twin, rate: float) -> None:
    del h5[f"{SPEED}/timestamps"]
    h5.create_dataset(f"{SPEED}/starting_time", data=twin.start).attrs["rate"] = rate


@fault("roaming", Code.UNREADABLE_LAYOUT)
def shaped_times(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Times as a column (N, 1) or a row (1, N)."""
    for path in clocks(rng):
        change(h5, path, lambda times: times[:, None] if rng.random() < 0.5 else times[None])


@fault("roaming", *CLOCK, named=NAMED)
def spikes_in_milliseconds(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Spikes in milliseconds."""
    change(h5, "/units/spike_times", lambda times: times * 1000)


@fault("roaming", *CLOCK, named=NAMED)
def spikes_of_a_part_in_milliseconds(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Spikes of a small part of the recording, in milliseconds: the lengths differ by less than a thousand."""
    stop = twin.start + twin.seconds * rng.uniform(0.1, 0.25)
    times, ends = h5["/units/spike_times"][()], np.r_[0, h5["/units/spike_times_index"][()]]
    kept = [t[t < stop] * 1000 for t in np.split(times, ends[1:-1])]
    replace(h5, "/units/spike_times", np.concatenate(kept))
    replace(h5, "/units/spike_times_index", np.cumsum([len(t) for t in kept]))


@fault("roaming", *CLOCK, named=NAMED)
def spikes_in_samples(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Spikes in samples of the amplifier."""
    rate = float(rng.choice([20000.0, 24414.0625, 30000.0]))
    change(h5, "/units/spike_times", lambda times: np.round(times * rate))


@fault("choices", *CLOCK, named=NAMED)
def spikes_in_milliseconds_beside_trials(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Spikes in milliseconds, trials in seconds."""
    change(h5, "/units/spike_times", lambda times: times * 1000)
