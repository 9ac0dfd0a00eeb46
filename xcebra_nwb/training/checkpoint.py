"""checkpoint.safetensors: an unfinished training, from which a killed command resumes; never pickled.

It says what it is a checkpoint of (settings, code, data, versions, kind of device) and is taken up by the very same
training only. Between two of them lie :data:`SECONDS`; when the training is done the file is removed.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as serialize

from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.files import atomic, sha256, temporary_pattern
from xcebra_nwb.core.provenance import digest, fingerprint, software
from xcebra_nwb.training.files import TRAINING_SECTIONS
from xcebra_nwb.xcebra.trainers.snapshot import ResumePoint, Snapshot

NAME = "checkpoint.safetensors"
SECONDS = 20.0  # what a kill costs at most, and a draw of batches
logger = logging.getLogger("xcebra_nwb")


@dataclass(frozen=True)
class Group:
    """Members, by number, that train at once, and their state; None: not begun."""

    members: range
    state: Snapshot | None = None

    def parts(self, pieces: Sequence[range]) -> list[Group]:
        """Return it as groups of these stretches of its members, each as far as the whole."""
        return [Group(piece, self._only(piece)) for piece in pieces]

    def _only(self, members: range) -> Snapshot | None:
        first = members.start - self.members.start
        return None if self.state is None else self.state.only(slice(first, first + len(members)))


def identity(command: str, config: Config, data: Sequence[Path], device: str) -> str:
    """Return the digest of all that a training depends on: of its settings, code, files and software, and the device.

    With which other sessions it is done is no part of it: they change nothing but rounding.
    """
    settings = config.model_dump(mode="json", include=TRAINING_SECTIONS)
    for where in ("device", "sessions_at_once"):
        del settings["training"][where]
    return digest([command, fingerprint(command), settings, [sha256(file) for file in data], software(), device])


class Checkpoint:
    """How far the groups of members of one training are, in memory and now and then on disk."""

    def __init__(self, directory: Path, identity: str, ensembles: Sequence[range], steps: int) -> None:
        """Take up what an unfinished run of the very same training left, or begin with each ensemble as one group."""
        self._path, self._steps = directory / NAME, steps
        # There may have been room for other recordings than now, and so there were other ensembles.
        self._identity = digest([identity, [[members.start, members.stop] for members in ensembles]])
        found = self._load()
        if found:
            step = max((group.state.step for group in found if group.state is not None), default=0)
            logger.info("going on from %s, where step %d was reached", NAME, step)
        self._on_disk, self._refused, self._written = bool(found), False, time.monotonic()
        self.groups = found or [Group(members) for members in ensembles]

    def resume_point(self, number: int) -> ResumePoint:
        """Return where group ``number`` resumes.

        Its state is saved every :data:`SECONDS`, and at the end if training took that long.
        """
        return ResumePoint(self.groups[number].state, partial(self._offer, number))

    def split(self, number: int, pieces: Sequence[range]) -> None:
        """Put groups of these stretches of its members in place of group ``number``."""
        self.groups[number : number + 1] = self.groups[number].parts(pieces)

    def _offer(self, number: int, step: int, take: Callable[[], Snapshot]) -> None:
        due, last = time.monotonic() - self._written >= SECONDS, step == self._steps
        if due or (last and (self._on_disk or len(self.groups) > 1)):
            self.groups[number] = replace(self.groups[number], state=take())
            self._try_to_save()

    def _try_to_save(self) -> None:
        """Write the file; a disk without room for it is no reason to lose what was learnt."""
        try:
            self._save()
        except OSError as error:
            if not self._refused:
                logger.warning("%s cannot be written (%s): a kill now costs all steps since the last one", NAME, error)
            self._refused, self._written = True, time.monotonic()

    def _save(self) -> None:
        arrays: dict[str, NDArray] = {}
        for number, group in enumerate(self.groups):
            if group.state is not None:
                arrays |= {f"{number}.{name}": array for name, array in group.state.arrays.items()}
        about = {"identity": self._identity, "groups": json.dumps([_fields(group) for group in self.groups])}
        with atomic(self._path) as temporary:
            temporary.write_bytes(serialize(arrays, metadata=about))
        self._on_disk, self._refused, self._written = True, False, time.monotonic()

    def _load(self) -> list[Group]:
        """The groups of the file; none if there is none, or none that can be taken up."""
        try:
            with safe_open(self._path, framework="np") as stored:
                about = stored.metadata()
                if about["identity"] != self._identity:
                    logger.info("%s is of other settings, code or data: training begins anew", NAME)
                    return []
                arrays = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - no mapping
            return [_group(number, fields, arrays) for number, fields in enumerate(json.loads(about["groups"]))]
        except FileNotFoundError:
            return []
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            logger.warning("%s cannot be read (%s): training begins anew", NAME, error)
            return []


def remove(directory: Path) -> None:
    """Remove the checkpoint of ``directory``, and what a kill left of one half-written."""
    for file in (directory / NAME, *directory.glob(temporary_pattern(NAME))):
        file.unlink(missing_ok=True)


def _fields(group: Group) -> dict[str, Any]:
    """What is said of a group beside its arrays."""
    members = [group.members.start, group.members.stop]
    if group.state is None:
        return {"members": members}
    return {"members": members, "step": group.state.step, "generators": list(group.state.generators)}


def _group(number: int, fields: Mapping[str, Any], arrays: Mapping[str, NDArray]) -> Group:
    members, own = range(*fields["members"]), f"{number}."
    if "step" not in fields:
        return Group(members)
    found = {name.removeprefix(own): array for name, array in arrays.items() if name.startswith(own)}
    return Group(members, Snapshot(fields["step"], found, fields["generators"]))
