"""Open trained sessions as references for aligned training; their embeddings stay fixed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.core.config.objectives import Objective
from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.netcdf import load_dataset
from xcebra_nwb.training.design.ensemble import Member
from xcebra_nwb.training.design.label_space import LabelSpace, label_spaces
from xcebra_nwb.training.design.objectives import resolve
from xcebra_nwb.training.design.samples import samples
from xcebra_nwb.training.design.shared_labels import meaning
from xcebra_nwb.training.design.split import Split, split_session
from xcebra_nwb.training.files import recorded_members, recorded_scales
from xcebra_nwb.xcebra.trainers.align import Frozen


@dataclass(frozen=True)
class Reference:
    """A trained session with its members, to which another session is aligned."""

    name: str
    session: xr.Dataset
    split: Split
    objectives: list[Objective]
    meaning: dict[str, str]
    spaces: Mapping[str, LabelSpace]  # those of the training
    members: list[Member]
    latents: NDArray[np.float32]  # (member, time, latent)

    def frozen(self, members: Sequence[Member], part: int, device: torch.device) -> Frozen:
        """Return the latents and rules of this session for aligned training.

        Args:
            members: members of the session that is aligned; the same members of this session are taken.
            part: part of the split, training or held out.
            device: device of the latents.
        """
        keys = [member.key for member in self.members]
        rows = [keys.index(member.key) for member in members]
        same = [self.members[row] for row in rows]
        data = samples(self.session, self.split, self.objectives, same, part, self.spaces)
        latents = self.latents[np.array(rows)[:, None], data[0].bins]
        return Frozen(torch.as_tensor(latents, device=device), [member.rules for member in data])


def trained(directory: Path) -> xr.Dataset:
    """Return the training.nc of a reference session.

    Raises:
        UsageError: an earlier version made the file, and its latent space is not recorded.
    """
    training = load_dataset(directory / "training.nc")
    if "space" not in training.attrs:
        raise UsageError(f"{directory}: trained by an earlier version", "train it again")
    return training


def reference(directory: Path, session: xr.Dataset, training: xr.Dataset, config: Config) -> Reference:
    """Return a trained session as a reference.

    Args:
        directory: the session's results folder, which holds embedding.nc.
        session: the session dataset.
        training: training.nc of the session.
        config: settings that the session was trained with.
    """
    split = split_session(session, config)
    objectives, outputs = resolve(config, session, split)
    latents, scales = load_dataset(directory / "embedding.nc")["embedding"].values, recorded_scales(training)
    return Reference(
        name=directory.resolve().name,
        session=session,
        split=split,
        objectives=objectives,
        meaning=meaning(session, objectives, outputs),
        spaces={n: s.with_scale(scales[n]) for n, s in label_spaces(session, split, objectives).items()},
        members=recorded_members(training, split),
        latents=latents,
    )
