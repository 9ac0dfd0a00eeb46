"""``attribute``: activity and labels in, maps with their tests and verdicts out."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import xarray as xr

from xcebra_nwb.api.activity import user_activity
from xcebra_nwb.api.dataset import with_all_units, with_assessment
from xcebra_nwb.api.session import user_session
from xcebra_nwb.api.settings import settings
from xcebra_nwb.core import results
from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.progress import bars
from xcebra_nwb.core.session import save
from xcebra_nwb.training.design.split import trainable_split


def attribute(
    activity: Any,
    labels: Mapping[str, Any] | None = None,
    *,
    bin_width: float | None = None,
    segments: Any = None,
    units: str | None = None,
    seeds: int | None = None,
    nulls: int | None = None,
    config: Config | Mapping[str, Any] | Path | str | None = None,
    folder: Path | str | None = None,
    digest: str | None = None,
    threads: int = 1,
    progress: bool = True,
) -> xr.Dataset:
    """Return the attribution maps of a session, with their tests and a verdict on every label.

    It trains the encoders, computes the maps and judges them, as the workflow does: the same data and config, with the
    same digest, give the same numbers to the bit. A small session takes about a minute;
    `config={"training": {"steps": 50}}` is for a first look only.

    Args:
        activity: Neural activity. An array, a pandas table or an xarray object (time, unit) on even bins: whole numbers
            from 0 are counts, all else is rates, if `units` says nothing else. Or a pynapple `TsGroup` (spike times in
            s), `TsdFrame` or `Tsd`. Or a whole session dataset, such as `read(path).session`; it has labels of its own.
        labels: Labels by name. A label is an array (time,) or (time, axis) with a value for each bin; or an object with
            times of its own (pynapple `Tsd`, `TsdFrame`; xarray with the coordinate `time` in s), which is brought onto
            the bins; or a pynapple `Ts` (events: the time since the last one in s) or `IntervalSet` (inside or
            outside). To say more of it, give a mapping: `values`; `kind` (continuous, circular, discrete, events);
            `units`, such as cm, or deg for an angle; `trials` (time,), the trial of each bin or -1; `window`, start and
            stop in s around events. NaN is a missing value.
        bin_width: Width of a bin in s. An array without times needs it. None: the bins of the activity, or 0.05 s for
            spike times.
        segments: Which bins are used and follow each other: a whole number for each bin (time,), -1 where it is not
            used. Or intervals: a pynapple `IntervalSet`, or start and stop in s (interval, 2). None: all bins.
        units: Unit of the activity: `count`, `Hz`, `dF/F`.
        seeds: Number of encoders on the true labels. None: as the config says, by default 4.
        nulls: Number of encoders for each label with that label shuffled. None: as the config says, by default 8.
        config: Other settings, as in the config of the workflow: keys and values, or the path of a YAML file.
        folder: Folder for all files of the session, to be read with :func:`xcebra_nwb.read`. A training that was
            interrupted goes on there. None: nothing is kept but the returned dataset.
        digest: Digest of the recording, with which the random orders of the null labels begin. None: that of the data.
            For the bits of a run on a file, give the file's SHA-256 (`read(path).session.attrs["sha256"]`).
        threads: CPU threads.
        progress: Whether to show a bar.

    Returns:
        The content of `attribution.nc` (docs/reference/results.md), with the dimensions `label`, `unit`, `seed`,
        `null`, `map_method` and `latent`, in memory. Units are those of `activity` in the same order; one that was
        left out, such as for too few spikes, is NaN. Beside the variables of the file there are `verdict(label)`,
        `because(label)`, `decoding_score(label)`, `decoding_p(label)`, `consistency(label)`, `leak(label)`,
        `carries(label, unit)` and `tested(label, unit)`; the attribute `assessment` has all of assessment.json.

    Raises:
        UsageError: Arguments do not fit together, or a key of the config is wrong.
        Refusal: The data cannot answer: too short, a label that does not vary, fewer than two active units.
        Failure: The memory or the disk does not suffice.

    Examples:
        Four units whose rates follow a position in two ways, and one label. Two seeds and thirty steps are too few for
        anything but an example:

        >>> import numpy as np, xcebra_nwb
        >>> rng = np.random.default_rng(0)
        >>> position = np.cumsum(rng.normal(size=600)) / 10  # (time,)
        >>> rates = np.stack([position, -position, position**2, rng.normal(size=600)], axis=1)  # (time, unit)
        >>> quick = {"training": {"steps": 30, "batch_size": 64}}
        >>> maps = xcebra_nwb.attribute(
        ...     rates, {"position": position}, bin_width=0.1, seeds=2, nulls=2, config=quick, progress=False
        ... )
        >>> maps["attribution"].sel(label="position", map_method="inverted_neuron_gradient").shape
        (4,)
        >>> str(maps["kind"].sel(label="position").item())
        'continuous'
    """
    chosen = settings(config, bin_width, seeds, nulls)
    name = Path(folder).resolve().name if folder is not None else "session"
    session = user_session(activity, labels, chosen, segments, units, name, digest)
    with analysed(session, chosen, folder, threads, progress) as directory:
        loaded = results.load(directory)
        dataset = with_assessment(loaded.attribution, loaded.assessment).load()
        loaded.session.close()
        loaded.embedding.close()
    if isinstance(activity, xr.Dataset):
        return dataset
    table = user_activity(activity, units).table
    return with_all_units(dataset, table["unit_id"].tolist(), table["region"].tolist())


@contextmanager
def analysed(
    session: xr.Dataset,
    config: Config,
    folder: Path | str | None,
    threads: int,
    progress: bool,
    maps: bool = True,
) -> Iterator[Path]:
    """Yield the results folder of a session, after training, attribution and assessment.

    Args:
        session: The session dataset.
        config: The config.
        folder: The folder; None for a temporary one, which is removed at the end, also if the work is interrupted.
        threads: CPU threads.
        progress: Whether to show a bar.
        maps: Whether to attribute and assess; without, the encoders are trained alone.

    Raises:
        Refusal: The session is too short, or its labels vary too little.
        UsageError: The folder has a session of another kind.
    """
    trainable_split(session, config)  # before torch is loaded
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="xcebra-nwb-") as temporary:
            yield _analyse(session, config, Path(temporary), threads, progress, maps)
        return
    directory = Path(folder)
    if directory.exists() and not directory.is_dir():
        raise UsageError(f"{directory}: not a folder", "give a folder for the results of the session")
    directory.mkdir(parents=True, exist_ok=True)
    yield _analyse(session, config, directory, threads, progress, maps)


def _analyse(session: xr.Dataset, config: Config, directory: Path, threads: int, progress: bool, maps: bool) -> Path:
    import torch

    from xcebra_nwb.commands.assess import assess
    from xcebra_nwb.commands.attribute import attribute
    from xcebra_nwb.commands.train import current, train

    before = torch.get_num_threads()
    try:
        with bars(progress):
            save(session, directory / "session.nc")
            if not current(directory, config):
                train(directory, config, threads)
            if maps:
                attribute(directory, config, threads)
                assess(directory)
    finally:
        torch.set_num_threads(before)  # the notebook's own
    return directory
