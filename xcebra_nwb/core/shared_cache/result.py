"""The result of one command on one session in a shared cache: taken from there, or kept there.

Trouble with the cache is one line of the log. The command then computes, as it would without a cache.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from xcebra_nwb.core.errors import Failure
from xcebra_nwb.core.shared_cache import entries
from xcebra_nwb.core.shared_cache.entries import Taken, Unusable
from xcebra_nwb.core.shared_cache.key import Key
from xcebra_nwb.core.shared_cache.stores import Store

logger = logging.getLogger("xcebra_nwb")


@dataclass
class SharedResult:
    """The place of a result in a shared cache."""

    store: Store
    key: Key
    is_unchanged: Callable[[], bool] = lambda: True  # whether the recording is still that of the key
    _damaged: bool = field(default=False, init=False)
    _broken: bool = field(default=False, init=False)

    def is_there(self) -> bool:
        """Return whether the cache has an entry of this result."""
        try:
            return entries.manifest_of(self.store, self.key) is not None
        except (Unusable, Failure):
            return False  # to take it says why

    def take(self, directory: Path) -> tuple[list[Path], Taken] | None:
        """Write the files of the result into the folder of its session, all or none.

        Returns:
            The files, and where they came from; None if the result has to be computed.

        Raises:
            OSError: The files cannot be written here.
        """
        try:
            return entries.take(self.store, self.key, directory)
        except Unusable as unusable:
            self._damaged = True
            self._warn(f"{self.key.session}: {self.key.command}: not used: {unusable}")
        except Failure as failure:
            self._broken = True
            self._warn(str(failure))
        return None

    def keep(self, directory: Path, digests: Mapping[str, str], sizes: Mapping[str, int]) -> None:
        """Store the files that the command has written, with their digests and sizes."""
        if self._broken or not self.is_unchanged():
            return
        try:
            entries.keep(self.store, self.key, directory, digests, sizes, again=self._damaged)
        except (Failure, OSError) as error:
            self._warn(f"{self.key.session}: {self.key.command} is not kept: {error}")

    def _warn(self, problem: str) -> None:
        where = "" if self.store.shown in problem else f"{self.store.shown}: "
        logger.warning("shared cache: %s%s", where, problem)
