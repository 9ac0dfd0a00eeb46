"""The device that the method computes on: the CPU, or a CUDA card that no other session uses."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import torch
from filelock import FileLock

from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.folders import PROGRAM, base_folder, runtime_folder
from xcebra_nwb.training.memory import keep_freed

COMPILED = "TORCHINDUCTOR_CACHE_DIR"
logger = logging.getLogger("xcebra_nwb")


@contextmanager
def device(name: str, threads: int) -> Iterator[torch.device]:
    """Yield the device called ``name`` (auto: a CUDA card if there is one, else the CPU) and use ``threads`` threads.

    A CUDA card is held under a file lock, so that a user's sessions running side by side on one machine take turns.

    Raises:
        UsageError: there is no such kind of device, the card asked for is not there, or it cannot be locked.
    """
    torch.set_num_threads(threads)
    keep_freed()
    keep_compiled_apart()
    chosen = _chosen(name)
    if chosen.type != "cuda":
        yield chosen
        return
    index = chosen.index if chosen.index is not None else torch.cuda.current_device()
    with card_lock(index), torch.cuda.device(index):
        yield chosen


def keep_compiled_apart() -> None:
    """Have torch keep what it compiles in the user's own folder for caches, where the environment names no other.

    By itself torch takes a folder of TMPDIR whose name anybody can foresee, and it loads the code that lies there.
    """
    if COMPILED not in os.environ:
        with suppress(UsageError):
            os.environ[COMPILED] = str(base_folder("XDG_CACHE_HOME", ".cache") / PROGRAM / "compiled")


def card_lock(index: int) -> FileLock:
    """Return the lock of a card. It is the user's own: a shared one could be kept by anybody for ever.

    Raises:
        UsageError: there is no folder to put it into.
    """
    return FileLock(runtime_folder() / f"gpu-{index}.lock")


def warn_of_precision(precision: str, target: torch.device) -> None:
    """Warn the user where ``target`` computes more exactly than the config asks for."""
    if precision != "float32" and target.type != "cuda":
        logger.warning("training.precision: %s is for CUDA cards: %s computes in float32", precision, target)


def _chosen(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        chosen = torch.device(name)
    except RuntimeError:
        raise UsageError(f"device {name!r}: no such kind of device", "cpu, cuda or cuda:1") from None
    if chosen.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (chosen.index or 0) >= count:
            raise UsageError(
                f"training.device: {chosen} is not there ({count} CUDA devices found)", "training.device: auto or cpu"
            )
    return chosen
