"""A file in an archive, read by ranges of bytes: only what is asked for, each block once, kept signed on disk."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path

from fsspec.caching import BlockCache

from xcebra_nwb.archive.signing import SIZE, is_signed, signature
from xcebra_nwb.core.errors import Failure
from xcebra_nwb.core.files import atomic

BLOCK = 256 * 1024  # bytes
BLOCKS_IN_MEMORY = 128  # 32 MiB
BLOCKS_AT_ONCE = 32  # 8 MiB in one request

logger = logging.getLogger("xcebra_nwb")
Fetch = Callable[[int, int], bytes]


class RangeFile(io.RawIOBase):
    """A read-only file of ``size`` bytes whose content ``fetch(start, stop)`` gives.

    ``name`` is what it is called, ``bytes_read`` counts what was fetched (not what the disk had already), and
    ``failure`` is why a read failed, if one did: libraries that read through this object may swallow it.
    """

    def __init__(self, name: str, size: int, fetch: Fetch, folder: Path) -> None:
        self.name, self.size, self.bytes_read = name, size, 0
        self.failure: Failure | None = None
        self._fetch, self._folder, self._position = fetch, folder, 0
        self._blocks = BlockCache(BLOCK, self._from_disk, size, maxblocks=BLOCKS_IN_MEMORY)

    def readable(self) -> bool:
        """It can be read."""
        return True

    def seekable(self) -> bool:
        """It can be read anywhere."""
        return True

    def tell(self) -> int:
        """Return where the next read begins."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to where the next read begins, and return it."""
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        self._position = max(0, origin + offset)
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read into ``buffer``; return how many bytes."""
        start, stop = self._position, min(self._position + len(buffer), self.size)
        if start >= stop:
            return 0
        if self.failure is not None:  # a library that reads on must not wait for every read to fail
            raise self.failure
        try:
            self._to_disk(start, stop)
            for first in range(start, stop, BLOCK * BLOCKS_AT_ONCE):
                last = min(first + BLOCK * BLOCKS_AT_ONCE, stop)
                buffer[first - start : last - start] = self._blocks._fetch(first, last)
        except Failure as failure:
            self.failure = failure
            raise
        self._position = stop
        return stop - start

    def _to_disk(self, start: int, stop: int) -> None:
        """Bring the blocks of a stretch that are not on disk there, neighbours in one request."""
        missing = [b for b in range(start // BLOCK, (stop - 1) // BLOCK + 1) if not self._is_there(b)]
        for run in _runs(missing):
            self._fetched(run)

    def _fetched(self, run: list[int]) -> bytes:
        """Neighbouring blocks, in one request; each is put on disk, and its signature behind it."""
        first = run[0] * BLOCK
        content = self._fetch(first, min((run[-1] + 1) * BLOCK, self.size))
        self.bytes_read += len(content)
        for block in run:
            begin = block * BLOCK - first
            part = content[begin : begin + BLOCK]
            with atomic(self._path(block)) as temporary:
                temporary.write_bytes(part + signature(*self._about(block), part))
        return content

    def _from_disk(self, start: int, stop: int) -> bytes:
        """A whole block: that on disk, unless it is not the one that was put there."""
        self._to_disk(start, stop)
        block = start // BLOCK
        try:
            stored = self._path(block).read_bytes()
        except FileNotFoundError:  # somebody empties the cache at this moment
            return self._fetched([block])
        if is_signed(stored[-SIZE:], *self._about(block), stored[:-SIZE]):
            return stored[:-SIZE]
        logger.warning("%s: block %d in the cache is not what was put there: fetched again", self.name, block)
        return self._fetched([block])

    def _about(self, block: int) -> tuple[str, ...]:
        """What the signature of a block is about, beside its content: its place in which file."""
        return ("block", self._folder.name, str(self.size), str(block))

    def _is_there(self, block: int) -> bool:
        try:
            return self._path(block).stat().st_size == min(BLOCK, self.size - block * BLOCK) + SIZE
        except FileNotFoundError:
            return False

    def _path(self, block: int) -> Path:
        return self._folder / f"{block // 1000}" / f"{block}"


def _runs(blocks: list[int]) -> Iterator[list[int]]:
    """Neighbouring blocks together, as many as one request may ask for."""
    for _, group in groupby(enumerate(blocks), key=lambda numbered: numbered[1] - numbered[0]):
        run = [block for _, block in group]
        for first in range(0, len(run), BLOCKS_AT_ONCE):
            yield run[first : first + BLOCKS_AT_ONCE]
