"""Memory: how much is free on a device, and how much a piece of work takes at its peak."""

from __future__ import annotations

import ctypes
import gc
import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from xcebra_nwb.core import host_memory

LARGEST_KEPT, TRIM, MAPPED = 32 << 20, -1, -3  # bytes, the most that glibc allows; its names of two settings


def keep_freed() -> None:
    """Let the C library keep the memory that is freed for what is asked for next, where it knows how to (glibc).

    A step of training asks for what the step before has freed. Given back and mapped anew, page by page, that memory
    cost 10 to 25 s of a minute of training (measured, 14 members, one core).
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, TypeError, OSError):  # another C library, another system
        return
    mallopt(MAPPED, LARGEST_KEPT)
    mallopt(TRIM, 2**31 - 1)


def free_bytes(device: torch.device) -> int:
    """Return how many bytes can be had on ``device`` now, whoever else uses it; what torch holds unused counts."""
    if device.type == "cuda":
        gc.collect()
        torch.cuda.empty_cache()
        return int(torch.cuda.mem_get_info(device)[0])
    return host_memory.free_bytes()


def peak_bytes(work: Callable[[], object], device: torch.device) -> int:
    """Do ``work`` and return how many bytes of tensors it held at most on ``device``, beyond what was there before."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        return torch.cuda.max_memory_allocated(device) - before
    with _Held() as held:
        work()
    return held.peak


class _Held(TorchDispatchMode):
    """Counts the bytes of the tensors that come out of torch's operations and are still there."""

    def __init__(self) -> None:
        super().__init__()
        self.peak = self._now = 0
        self._known: weakref.WeakSet = weakref.WeakSet()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = function(*args, **(kwargs or {}))
        for leaf in tree_leaves(found):
            if isinstance(leaf, torch.Tensor):
                self._add(leaf.untyped_storage())
        return found

    def _add(self, storage: torch.UntypedStorage) -> None:
        if storage not in self._known:
            size = storage.nbytes()
            self._known.add(storage)
            weakref.finalize(storage, self._drop, size)
            self._now += size
            self.peak = max(self.peak, self._now)

    def _drop(self, size: int) -> None:
        self._now -= size
