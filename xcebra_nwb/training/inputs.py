"""Load the encoder input of a session: onto the device, into memory, or into a scratch file."""

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
    """Return the encoder input of a session, shape (time, unit).

    It is stored on ``device`` if it fits there, else in memory, else on disk.

    Args:
        session: the session dataset; its activity is read block by block.
        device: the device that computes.
        folder: folder of a scratch file, unless the environment names another.
        a_step: bytes that a training step reads at random; 0 if the input is read from start to end.
        most: largest size in bytes, on the device and in memory; None: half of the free memory.

    Raises:
        Failure: the input fits neither memory nor disk.
    """
    dtype = activity.input_type(session)
    return _kept("the encoder input", session, dtype, fill_encoder_input, device, folder, a_step, most)


def recorded_inputs(session: xr.Dataset, device: torch.device, folder: Path, most: float | None = None) -> Recording:
    """Return the recorded activity of a session, shape (time, unit).

    It is stored like :func:`encoder_inputs`.

    Args:
        session: the session dataset; its activity is read block by block.
        device: the device that computes.
        folder: folder of a scratch file, unless the environment names another.
        most: largest size in bytes, on the device and in memory; None: half of the free memory.

    Raises:
        Failure: the activity fits neither memory nor disk.
    """
    return _kept("the activity", session, activity.recorded_type(session), fill_recorded, device, folder, 0, most)


def _kept(
    name: str,
    session: xr.Dataset,
    dtype: np.dtype,
    fill: Callable[[xr.Dataset, Rows], None],
    device: torch.device,
    folder: Path,
    a_step: int,
    most: float | None,
) -> Recording:
    """Return the rows that ``fill`` writes for a session, on the device, in memory or on disk."""
    shape = session.sizes["time"], session.sizes["unit"]
    if device.type != "cpu" and fits(shape[0] * shape[1] * dtype.itemsize, device, most):
        on_device = torch.empty(shape, dtype=torch_type(dtype), device=device)
        fill(session, _DeviceRows(on_device))
        return Recording(on_device)
    array = stored_array(name, session, dtype, fill, folder, most)
    if device.type != "cpu" or stays_on_host(array, device):
        log_reading_cost(array, device, a_step)
    return Recording(torch.from_numpy(array), device)


def stays_on_host(recording: Values, device: torch.device) -> bool:
    """Return whether a recording is too large for ``device`` or lies on disk."""
    if device.type == "cpu":
        return isinstance(recording, np.memmap)
    return not fits(recording.nbytes, device)


def log_reading_cost(recording: Values, device: torch.device, a_step: int) -> None:
    """Log that a recording is read from memory or disk, and how much of it.

    Args:
        recording: the recording, in memory or on disk.
        device: the device, which has no room for it.
        a_step: bytes that a training step reads at random; 0 if none.
    """
    logger.warning(
        "a recording takes %.2f GB, which %s has no room for: it is read from %s%s",
        *(recording.nbytes / GIGABYTE, "memory" if device.type == "cpu" else device),
        "the disk" if isinstance(recording, np.memmap) else "memory",
        f", {a_step / 1e6:.1f} MB at random for every step of all members" if a_step else "",
    )


def fits(size: int, device: torch.device, most: float | None = None) -> bool:
    """Return whether a recording fits a device.

    Args:
        size: size of the recording in bytes.
        device: the device.
        most: largest size in bytes; None: the share of the device's free memory that recordings may take.

    >>> fits(100, torch.device("cpu"), most=99)
    False
    """
    return size <= (room(device) if most is None else most)


def room(device: torch.device) -> float:
    """Return the largest size of a recording on ``device``, in bytes."""
    return activity.SHARE * memory.free_bytes(device)


class _DeviceRows:
    """The rows of a tensor on another device, read and written as arrays."""

    def __init__(self, values: torch.Tensor) -> None:
        self._values = values

    def __getitem__(self, rows: slice) -> NDArray:
        return self._values[rows].cpu().numpy()

    def __setitem__(self, rows: slice, values: NDArray) -> None:
        self._values[rows] = torch.as_tensor(values, dtype=self._values.dtype)
