"""The session dataset of activity and labels that a user hands over, as extraction makes it from a file."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.api.activity import UserActivity, user_activity
from xcebra_nwb.api.intervals import given_within, shared, user_intervals
from xcebra_nwb.api.labels import UserLabel, user_labels
from xcebra_nwb.api.on_bins import session_on_bins
from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.provenance import software
from xcebra_nwb.core.session import check
from xcebra_nwb.core.session import labels as labels_of
from xcebra_nwb.nwb.extraction.on_bins import session_dataset
from xcebra_nwb.nwb.extraction.recording import Recording
from xcebra_nwb.nwb.reading.intervals import merged

NAMELESS = dict.fromkeys(("subject", "species", "nwb_identifier", "session_start_time"), "")
SOURCE = {"source": "Python", "asset_id": ""}
SAME = 1e-3  # share of a bin; widths that differ by less are one


def user_session(
    activity: Any,
    labels: Any,
    config: Config,
    segments: Any = None,
    units: str | None = None,
    name: str = "session",
    digest: str | None = None,
) -> xr.Dataset:
    """Return the session dataset of activity and labels.

    Args:
        activity: Activity (time, unit), spike times, or a whole session dataset.
        labels: Labels by name; None for those of a session dataset.
        config: The config.
        segments: Number of the segment of each bin, -1 where it is not used, shape (time,); or intervals in s.
        units: Unit of the activity; None to decide by the values.
        name: Name of the session.
        digest: Digest of the recording, with which the random orders of the null labels begin; None: of the data.

    Raises:
        UsageError: Something does not fit together.
        Refusal: The data do not suffice.
    """
    if isinstance(activity, xr.Dataset):
        return _whole(activity, labels, segments)
    found, given_labels = user_activity(activity, units), user_labels(labels)
    if _on_own_bins(found, config):
        session = session_on_bins(found, given_labels, segments, config)
    else:
        session = _resampled(found, given_labels, segments, config)
    session.attrs |= {"session": name, "software": json.dumps(software()), **SOURCE}
    session.attrs["sha256"] = _digest(session) if digest is None else digest
    return session


def _digest(session: xr.Dataset) -> str:
    """Return the SHA-256 of the activity, the labels and the segments."""
    digest = hashlib.sha256()
    for name in ("activity", "segment", *labels_of(session)):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(session[name].values).tobytes())
    return digest.hexdigest()


def _whole(session: xr.Dataset, labels: Any, segments: Any) -> xr.Dataset:
    if labels is not None or segments is not None:
        raise UsageError(
            "activity: a session dataset has labels and segments of its own",
            "leave them out, or give its variable `activity` alone",
        )
    check(session)
    if not labels_of(session):
        raise UsageError("activity: the session dataset has no label", "see docs/reference/results.md#sessionnc")
    return session


def _on_own_bins(activity: UserActivity, config: Config) -> bool:
    """Return whether the samples of the activity are the bins.

    Raises:
        UsageError: Counts are to be brought onto other bins, or the width of the bins is not known.
    """
    width = config.time.bin_width
    if activity.matrix is None:
        return False
    if activity.times is None:
        if width == "auto":
            raise UsageError("bin_width: an array has no times", "give the width of its bins in s: bin_width=0.05")
        return True
    even = activity.period is not None
    own = even and (width == "auto" or abs(float(width) / float(activity.period or 1) - 1) < SAME)
    if activity.kind == "spikes" and not own:
        what = f"in bins of {activity.period:g} s" if even else "at uneven times"
        raise UsageError(f"bin_width: the counts are {what}", "count the spikes again, or leave bin_width out")
    return own


def _resampled(activity: UserActivity, labels: list[UserLabel], segments: Any, config: Config) -> xr.Dataset:
    """Return the session of spike times, or of samples on other bins than their own."""
    for label in labels:
        if not label.has_times:
            raise UsageError(
                f"label {label.name}: an array has no times, and the activity is given by times",
                "give a pynapple Tsd, or xarray with the coordinate time",
            )
    within, borders = _intervals(activity, segments, config)
    timed = [label.timed() for label in labels]
    notes = [note for label in timed for note in label.notes]
    recording = Recording(
        populations=[activity.population()],
        labels=timed,
        within=within,
        invalid=np.empty((0, 2)),
        borders=np.concatenate([borders, *(label.borders for label in timed)]),
        identity=NAMELESS,
        choices=notes,
    )
    return session_dataset(recording, config)


def _intervals(
    activity: UserActivity, segments: Any, config: Config
) -> tuple[NDArray[np.float64] | None, NDArray[np.float64]]:
    """Return the intervals that are used, None for all times, and the times that no window crosses."""
    within, borders = given_within(config), [np.empty(0)]
    if activity.support is not None:
        borders.append(activity.support.reshape(-1))
        if activity.matrix is not None:  # samples that are close would be joined over the pause between two epochs
            within = activity.support if within is None else shared(within, activity.support)
    if segments is not None:
        chosen = user_intervals(segments)
        if chosen is None:
            raise UsageError("segments: the activity has times", "give a pynapple IntervalSet, or start and stop in s")
        borders.append(chosen.reshape(-1))
        within = merged(chosen) if within is None else shared(within, chosen)
    if within is not None and not len(within):
        raise UsageError("segments: no time is in all of segments, time.within and the epochs", "widen them")
    return within, np.concatenate(borders)
