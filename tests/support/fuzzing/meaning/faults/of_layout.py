"""Faults of shapes, lengths and links."""

from __future__ import annotations

import h5py
import numpy as np

from tests.support.fuzzing.meaning.fault import change, fault, replace
from tests.support.fuzzing.meaning.twins import DFF, PLANE, POSITION, SPEED, Twin
from xcebra_nwb.core.refusals import Code

UNFIT = r"\brois\b|\bregion\b(?! of)"  # of "dF/F of imaged regions of interest" nothing is named
ELSEWHERE = (Code.LEADS_ELSEWHERE, Code.DAMAGED, Code.CONFIG_DOES_NOT_FIT, Code.NO_LABEL)


@fault("roaming")
def transposed_position(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """A position stored as (axis, time)."""
    change(h5, f"{POSITION}/data", np.transpose)


@fault("imaging", Code.UNREADABLE_LAYOUT, Code.NO_LABEL)
def row_of_values(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """A series as a row (1, N), with a rate."""
    change(h5, f"{SPEED}/data", lambda values: values[None])
    _regular(h5, SPEED, twin.start, twin.rate)


@fault("imaging")
def column_of_values(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """A series as a column (N, 1)."""
    change(h5, f"{SPEED}/data", lambda values: values[:, None])


@fault("imaging")
def transposed_rois(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """dF/F stored as (roi, time), with timestamps."""
    change(h5, f"{DFF}/data", np.transpose)


@fault("imaging", Code.UNREADABLE_LAYOUT, Code.TIMES_NOT_TRUSTED, named=r"transposed|\brois\b|frames")
def transposed_rois_with_a_rate(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """dF/F stored as (roi, time), with a rate: only the length of rois tells."""
    change(h5, f"{DFF}/data", np.transpose)
    _regular(h5, DFF, twin.start, 10.0)


@fault("imaging", Code.UNREADABLE_LAYOUT, named=UNFIT, always_named=True)
def wrong_rois_length(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """A region of fewer rows than the data have columns."""
    change(h5, f"{DFF}/rois", lambda rows: rows[: len(rows) // 2])


@fault("imaging", Code.UNREADABLE_LAYOUT, named=UNFIT, always_named=True)
def rois_beyond_the_table(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """A region whose rows are not in its table, because they count from 1 or are ids."""
    change(h5, f"{DFF}/rois", lambda rows: rows + int(rng.choice([1, 100])))


@fault("imaging")
def subset_of_rois(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """A series of some rows of a longer table, in another order."""
    count = len(h5[f"{DFF}/rois"])
    replace(h5, f"{PLANE}/id", np.arange(3 * count))
    replace(h5, f"{PLANE}/is_cell", np.arange(3 * count) % 2)
    change(h5, f"{DFF}/rois", lambda rows: rng.permutation(3 * count)[:count])


@fault("roaming", Code.UNREADABLE_LAYOUT, Code.NO_LABEL)
def fewer_times_than_values(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """A few timestamps less than values."""
    change(h5, f"{POSITION}/timestamps", lambda times: times[: -int(rng.integers(1, 40))])


@fault("roaming", *ELSEWHERE)
def dangling_times(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Timestamps that are a link to nothing."""
    del h5[f"{POSITION}/timestamps"]
    links = [h5py.SoftLink("/acquisition/gone/timestamps"), h5py.ExternalLink("gone.nwb", "/acquisition/timestamps")]
    h5[f"{POSITION}/timestamps"] = links[int(rng.integers(2))]


@fault("roaming", *ELSEWHERE)
def dangling_values(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """Data that are a link to nothing."""
    del h5[f"{POSITION}/data"]
    links = [h5py.SoftLink("/acquisition/gone/data"), h5py.ExternalLink("gone.nwb", "/acquisition/data")]
    h5[f"{POSITION}/data"] = links[int(rng.integers(2))]


@fault("imaging")
def dangling_plane(h5: h5py.File, twin: Twin, rng: np.random.Generator) -> None:
    """A region whose table is gone."""
    del h5[PLANE]


def _regular(h5: h5py.File, path: str, start: float, rate: float) -> None:
    del h5[f"{path}/timestamps"]
    h5.create_dataset(f"{path}/starting_time", data=start).attrs["rate"] = rate
