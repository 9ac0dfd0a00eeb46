"""Save an unfinished training to checkpoint.safetensors, so that a killed command can resume.

The file holds a digest of the settings, code, data, versions and kind of device. Only a training with the same digest
resumes from it. It is written every :data:`SECONDS`, without pickle, and removed when the training is done.
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
from xcebra_nwb.core.outputs import UNFINISHED
from xcebra_nwb.core.provenance import digest, fingerprint, software
from xcebra_nwb.training.files import TRAINING_SECTIONS
from xcebra_nwb.xcebra.trainers.snapshot import ResumePoint, Snapshot

NAME = UNFINISHED["train"]
SECONDS = 20.0  # between two checkpoints
logger = logging.getLogger("xcebra_nwb")


@dataclass(frozen=True)
class Group:
    """Members, by number, that train at once, and their state; None: not started."""

    members: range
    state: Snapshot | None = None

    def parts(self, pieces: Sequence[range]) -> list[Group]:
        """Return the group split into smaller groups, which keep its state.

        >>> [group.members for group in Group(range(4)).parts([range(3), range(3, 4)])]
        [range(0, 3), range(3, 4)]
        """
        return [Group(piece, self._only(piece)) for piece in pieces]

    def _only(self, members: range) -> Snapshot | None:
        first = members.start - self.members.start
        return None if self.state is None else self.state.only(slice(first, first + len(members)))


def identity(command: str, config: Config, data: Sequence[Path], device: str) -> str:
    """Return the digest of everything that a training depends on.

    Args:
        command: name of the command, whose code counts.
        config: settings of the training.
        data: files whose content counts.
        device: kind of device, such as "cuda".

    Returns:
        Digest of the settings, the code, the files, the versions of the software and the device.
    """
    settings = config.model_dump(mode="json", include=TRAINING_SECTIONS)
    # The other sessions that train in the same process change only rounding.
    for setting in ("device", "sessions_at_once"):
        del settings["training"][setting]
    return digest([command, fingerprint(command), settings, [sha256(file) for file in data], software(), device])


class Checkpoint:
    """The state of the groups of one training, in memory and at intervals on disk."""

    def __init__(self, directory: Path, identity: str, ensembles: Sequence[range], steps: int) -> None:
        """Load the state of an unfinished run of the same training, or start with one group per ensemble.

        Args:
            directory: folder of the checkpoint.
            identity: digest of everything that the training depends on (:func:`identity`).
            ensembles: numbers of the members of each ensemble.
            steps: steps of the training.
        """
        self._path, self._steps = directory / NAME, steps
        # With other free memory, other recordings fit the device, and so the ensembles differ.
        self._identity = digest([identity, [[members.start, members.stop] for members in ensembles]])
        groups = self._load()
        if groups:
            step = max((group.state.step for group in groups if group.state is not None), default=0)
            logger.info("resuming from %s at step %d", NAME, step)
        self._on_disk, self._refused, self._written = bool(groups), False, time.monotonic()
        self.groups = groups or [Group(members) for members in ensembles]

    def resume_point(self, number: int) -> ResumePoint:
        """Return where group ``number`` resumes.

        Its state is saved every :data:`SECONDS`. The last step is saved as well if there are other groups or the
        checkpoint exists already.
        """
        return ResumePoint(self.groups[number].state, partial(self._offer, number))

    def split(self, number: int, pieces: Sequence[range]) -> None:
        """Replace group ``number`` by smaller groups with these members."""
        self.groups[number : number + 1] = self.groups[number].parts(pieces)

    def _offer(self, number: int, step: int, take: Callable[[], Snapshot]) -> None:
        due, last = time.monotonic() - self._written >= SECONDS, step == self._steps
        if due or (last and (self._on_disk or len(self.groups) > 1)):
            self.groups[number] = replace(self.groups[number], state=take())
            self._try_to_save()

    def _try_to_save(self) -> None:
        """Write the file; warn if that fails."""
        # A full disk must not end the training.
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
        """Return the groups of the file; none if the file is missing, damaged or of another training."""
        try:
            with safe_open(self._path, framework="np") as stored:
                about = stored.metadata()
                if about["identity"] != self._identity:
                    logger.info("%s has other settings, code or data: training starts again from step 0", NAME)
                    return []
                arrays = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - no mapping
            return [_group(number, fields, arrays) for number, fields in enumerate(json.loads(about["groups"]))]
        except FileNotFoundError:
            return []
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            logger.warning("%s cannot be read (%s): training starts again from step 0", NAME, error)
            return []


def remove(directory: Path) -> None:
    """Remove the checkpoint of a folder, and parts of one that a kill left."""
    for file in (directory / NAME, *directory.glob(temporary_pattern(NAME))):
        file.unlink(missing_ok=True)


def _fields(group: Group) -> dict[str, Any]:
    """Return the fields of a group that are stored beside its arrays."""
    members = [group.members.start, group.members.stop]
    if group.state is None:
        return {"members": members}
    return {"members": members, "step": group.state.step, "generators": list(group.state.generators)}


def _group(number: int, fields: Mapping[str, Any], arrays: Mapping[str, NDArray]) -> Group:
    members, prefix = range(*fields["members"]), f"{number}."
    if "step" not in fields:
        return Group(members)
    state = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
    return Group(members, Snapshot(fields["step"], state, fields["generators"]))
