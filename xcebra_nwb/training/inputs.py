"""The encoder input of a session on the device that computes, in memory, or in a scratch file."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.core import activity
from xcebra_nwb.core.activity import fill_encoder_input, fill_recorded, stored_array
from xcebra_nwb.core.scratch import GIGABYTE, Rows
from xcebra_nwb.training import memory
from xcebra_nwb.xcebra.inputs import Recording, Values, torch_type

logger = logging.getLogger("xcebra_nwb")


def encoder_inputs(
    session: xr.Dataset, device: torch.device, folder: Path, a_step: int = 0, most: float | None = None
) -> Recording:
    """Return the encoder input (time, unit): on ``device`` if it fits there, else in memory, else on disk.

    Args:
        session: the session dataset; its activity is read block by block.
        device: the device that computes.
        folder: for a scratch file, unless the environment names one.
        a_step: bytes of it that a step of training reads at random; 0: it is read from its start to its end.
        most: bytes that it may take, on the device and in memory; None: half of what is free.

    Raises:
        Failure: it fits neither memory nor disk.
    """
    dtype = activity.input_type(session)
    return _kept("the encoder input", session, dtype, fill_encoder_input, device, folder, a_step, most)


def recorded_inputs(session: xr.Dataset, device: torch.device, folder: Path, most: float | None = None) -> Recording:
    """Return the activity (time, unit) as it was recorded, stored like :func:`encoder_inputs`."""
    return _kept("the activity", session, activity.recorded_type(session), fill_recorded, device, folder, 0, most)


def _kept(
    what: str,
    session: xr.Dataset,
    dtype: np.dtype,
    fill: Callable[[xr.Dataset, Rows], None],
    device: torch.device,
    folder: Path,
    a_step: int,
    most: float | None,
) -> Recording:
    """The rows that ``fill`` writes for a session, stored where there is room for them."""
    shape = session.sizes["time"], session.sizes["unit"]
    if device.type != "cpu" and fits(shape[0] * shape[1] * dtype.itemsize, device, most):
        on_device = torch.empty(shape, dtype=torch_type(dtype), device=device)
        fill(session, _DeviceRows(on_device))
        return Recording(on_device)
    array = stored_array(what, session, dtype, fill, folder, most)
    if device.type != "cpu" or stays_on_host(array, device):
        log_reading_cost(array, device, a_step)
    return Recording(torch.from_numpy(array), device)


def stays_on_host(recording: Values, device: torch.device) -> bool:
    """Return whether ``device`` has no room for a recording, or the recording lies on disk."""
    if device.type == "cpu":
        return isinstance(recording, np.memmap)
    return not fits(recording.nbytes, device)


def log_reading_cost(recording: Values, device: torch.device, a_step: int) -> None:
    """Log the cost of reading a recording from memory or disk rather than from ``device``."""
    logger.warning(
        "a recording takes %.2f GB, which %s has no room for: it is read from %s%s",
        *(recording.nbytes / GIGABYTE, "memory" if device.type == "cpu" else device),
        "the disk" if isinstance(recording, np.memmap) else "memory",
        f", {a_step / 1e6:.1f} MB at random for every step of all members" if a_step else "",
    )


def fits(size: int, device: torch.device, most: float | None = None) -> bool:
    """Return whether ``size`` bytes are at most ``most``; None: at most the share of ``device`` for recordings."""
    return size <= (room(device) if most is None else most)


def room(device: torch.device) -> float:
    """Return how many bytes a recording may take on ``device``."""
    return activity.SHARE * memory.free_bytes(device)


class _DeviceRows:
    """The rows of a tensor on another device, read and written as arrays."""

    def __init__(self, values: torch.Tensor) -> None:
        self._values = values

    def __getitem__(self, rows: slice) -> NDArray:
        return self._values[rows].cpu().numpy()

    def __setitem__(self, rows: slice, values: NDArray) -> None:
        self._values[rows] = torch.as_tensor(values, dtype=self._values.dtype)
