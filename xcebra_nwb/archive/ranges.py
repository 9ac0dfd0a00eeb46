"""Read a file in an archive by ranges of bytes.

Each block is requested once. It is kept on disk with a signature.
"""

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
    """A read-only file whose content is fetched by ranges.

    Args:
        name: Name in messages.
        size: Length in bytes.
        fetch: Returns the bytes from a start to a stop.
        folder: Folder in which blocks are kept.

    Attributes:
        bytes_read: Number of bytes that were fetched, without those on disk.
        failure: The error of a read that failed. Libraries that read through this object may hide it.
    """

    def __init__(self, name: str, size: int, fetch: Fetch, folder: Path) -> None:
        self.name, self.size, self.bytes_read = name, size, 0
        self.failure: Failure | None = None
        self._fetch, self._folder, self._position = fetch, folder, 0
        self._blocks = BlockCache(BLOCK, self._from_disk, size, maxblocks=BLOCKS_IN_MEMORY)

    def readable(self) -> bool:
        """Return True: the file can be read."""
        return True

    def seekable(self) -> bool:
        """Return True: any position can be read."""
        return True

    def tell(self) -> int:
        """Return the position of the next read."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move the position of the next read, and return it."""
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.size}[whence]
        self._position = max(0, origin + offset)
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read into ``buffer``, and return the number of bytes."""
        start, stop = self._position, min(self._position + len(buffer), self.size)
        if start >= stop:
            return 0
        if self.failure is not None:  # a library that continues to read must not wait for every read to fail
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
        """Fetch the blocks of a range that are not on disk, neighbours in one request."""
        missing = [b for b in range(start // BLOCK, (stop - 1) // BLOCK + 1) if not self._is_there(b)]
        for run in _runs(missing):
            self._fetched(run)

    def _fetched(self, run: list[int]) -> bytes:
        """Fetch neighbouring blocks in one request, and keep each with its signature."""
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
        """Return a block from disk; fetch it again if its signature is wrong."""
        self._to_disk(start, stop)
        block = start // BLOCK
        try:
            stored = self._path(block).read_bytes()
        except FileNotFoundError:  # another process empties the cache at this moment
            return self._fetched([block])
        if is_signed(stored[-SIZE:], *self._about(block), stored[:-SIZE]):
            return stored[:-SIZE]
        logger.warning("%s: block %d in the cache has changed and was fetched again", self.name, block)
        return self._fetched([block])

    def _about(self, block: int) -> tuple[str, ...]:
        """Return what the signature of a block covers beside its content."""
        return ("block", self._folder.name, str(self.size), str(block))

    def _is_there(self, block: int) -> bool:
        try:
            return self._path(block).stat().st_size == min(BLOCK, self.size - block * BLOCK) + SIZE
        except FileNotFoundError:
            return False

    def _path(self, block: int) -> Path:
        return self._folder / f"{block // 1000}" / f"{block}"


def _runs(blocks: list[int]) -> Iterator[list[int]]:
    """Yield neighbouring blocks together, up to the limit of one request."""
    for _, group in groupby(enumerate(blocks), key=lambda numbered: numbered[1] - numbered[0]):
        run = [block for _, block in group]
        for first in range(0, len(run), BLOCKS_AT_ONCE):
            yield run[first : first + BLOCKS_AT_ONCE]
