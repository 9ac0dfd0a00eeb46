"""Measure memory: the bytes that are free on a device, and the peak bytes of a computation."""

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

LARGEST_KEPT = 32 << 20  # bytes; the largest value that glibc allows
TRIM, MAPPED = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of glibc


def keep_freed() -> None:
    """Let the C library (glibc) reuse freed memory instead of returning it.

    Other C libraries are left unchanged.
    """
    # Every training step allocates the memory that the step before has freed. Mapping it again page by page took 10 to
    # 25 s of each minute of training (measured, 14 members, one core).
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, TypeError, OSError):  # another C library, another system
        return
    mallopt(MAPPED, LARGEST_KEPT)
    mallopt(TRIM, 2**31 - 1)


def free_bytes(device: torch.device) -> int:
    """Return the bytes that are free on a device now.

    Memory that torch has reserved but does not use counts as free.
    """
    if device.type == "cuda":
        gc.collect()
        torch.cuda.empty_cache()
        return int(torch.cuda.mem_get_info(device)[0])
    return host_memory.free_bytes()


def peak_bytes(work: Callable[[], object], device: torch.device) -> int:
    """Run ``work`` and return the peak bytes of its tensors on a device.

    Tensors that existed before are not counted.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        return torch.cuda.max_memory_allocated(device) - before
    with _Held() as held:
        work()
    return held.peak


class _Held(TorchDispatchMode):
    """Counts the bytes of the tensors that torch operations return and that still exist."""

    def __init__(self) -> None:
        super().__init__()
        self.peak = self._now = 0
        self._known: weakref.WeakSet = weakref.WeakSet()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Answer torch: nothing is compiled under this mode, so its compiler need not be imported to be told so."""
        return False

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = function(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                self._add(leaf.untyped_storage())
        return result

    def _add(self, storage: torch.UntypedStorage) -> None:
        if storage not in self._known:
            size = storage.nbytes()
            self._known.add(storage)
            weakref.finalize(storage, self._drop, size)
            self._now += size
            self.peak = max(self.peak, self._now)

    def _drop(self, size: int) -> None:
        self._now -= size
