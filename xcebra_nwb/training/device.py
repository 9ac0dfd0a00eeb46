"""Select the device that computes: the CPU, or a CUDA card that is locked for one command at a time."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

import torch
from filelock import FileLock, Timeout

from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.folders import PROGRAM, base_folder, runtime_folder
from xcebra_nwb.training.memory import keep_freed

COMPILED = "TORCHINDUCTOR_CACHE_DIR"
logger = logging.getLogger("xcebra_nwb")


@contextmanager
def device(name: str, threads: int) -> Iterator[torch.device]:
    """Yield the device that computes, with exclusive use of a CUDA card.

    A file lock makes the commands of one user take turns on a card.

    Args:
        name: name of the device; "auto" is a CUDA card if there is one, else the CPU.
        threads: CPU threads that torch may use.

    Raises:
        UsageError: the kind of device is unknown, the card does not exist, or it cannot be locked.
    """
    torch.set_num_threads(threads)
    keep_freed()
    keep_compiled_apart()
    target = find_device(name)
    if target.type != "cuda":
        yield target
        return
    index = target.index if target.index is not None else torch.cuda.current_device()
    with exclusive_card(index), torch.cuda.device(index):
        yield target


def exclusive_card(index: int) -> AbstractContextManager[FileLock]:
    """Return the lock of a CUDA card, taken; the log says if another command has to end first.

    Raises:
        UsageError: there is no folder for the lock.
    """
    lock = card_lock(index)
    try:
        return lock.acquire(blocking=False)
    except Timeout:
        logger.info("cuda:%d is in use by another command: waiting for it", index)
        return lock.acquire()


def keep_compiled_apart() -> None:
    """Let torch store compiled code in the user's cache folder.

    A folder that the environment names is kept.
    """
    # The default of torch is a folder in TMPDIR with a predictable name. Other users could put code there.
    if COMPILED not in os.environ:
        with suppress(UsageError):
            os.environ[COMPILED] = str(base_folder("XDG_CACHE_HOME", ".cache") / PROGRAM / "compiled")


def card_lock(index: int) -> FileLock:
    """Return the exclusive lock of a CUDA card for this user's commands.

    Raises:
        UsageError: there is no folder for the lock.
    """
    # Users do not share the lock, because any of them could hold it for ever.
    return FileLock(runtime_folder() / f"gpu-{index}.lock")


def warn_of_precision(precision: str, target: torch.device) -> None:
    """Warn the user if ``target`` computes in float32 whatever the config says."""
    if precision != "float32" and target.type != "cuda":
        logger.warning("training.precision: %s is for CUDA cards: %s computes in float32", precision, target)


def find_device(name: str) -> torch.device:
    """Return the device of a name.

    Args:
        name: name of the device; "auto" is a CUDA card if there is one, else the CPU.

    Raises:
        UsageError: the kind of device is unknown, or this machine does not have it.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        target = torch.device(name)
    except RuntimeError:
        raise UsageError(f"device {name!r}: no such kind of device", "cpu, cuda or cuda:1") from None
    if target.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (target.index or 0) >= count:
            raise UsageError(
                f"training.device: {target} is not there ({count} CUDA devices found)", "training.device: auto or cpu"
            )
    return target


def described(target: torch.device) -> dict[str, str]:
    """Return what the last bits of a result depend on: the build of torch, the instructions, and the card.

    Args:
        target: The device that computes.
    """
    built = hashlib.sha256(torch.__config__.show().encode()).hexdigest()
    said = {"torch": built[:16], "torch instructions": torch.backends.cpu.get_cpu_capability()}
    if target.type == "cuda":
        card = torch.cuda.get_device_properties(target)
        said |= {"card": f"{card.name}, {card.major}.{card.minor}", "cuda": str(torch.version.cuda)}
        said |= {"cudnn": str(torch.backends.cudnn.version())}
    return said
