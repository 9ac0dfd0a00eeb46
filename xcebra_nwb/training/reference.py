"""A trained session that others are aligned to: its embedding stays as it is."""

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
from xcebra_nwb.core.session import load_dataset
from xcebra_nwb.training.design.ensemble import Member, label_spaces, samples
from xcebra_nwb.training.design.label_space import LabelSpace
from xcebra_nwb.training.design.objectives import resolve
from xcebra_nwb.training.design.shared_labels import meaning
from xcebra_nwb.training.design.split import Layout, layout
from xcebra_nwb.training.files import recorded_scales, recorded_stack
from xcebra_nwb.xcebra.trainers.align import Frozen


@dataclass(frozen=True)
class Reference:
    """A session with the members that it was trained with."""

    name: str
    session: xr.Dataset
    used: Layout
    objectives: list[Objective]
    meaning: dict[str, str]
    spaces: Mapping[str, LabelSpace]  # as they were in training
    stack: list[Member]
    latents: NDArray[np.float32]  # (member, time, latent)

    def frozen(self, stack: Sequence[Member], part: int, device: torch.device) -> Frozen:
        """Return the latents and rules, at one part of the split, of the members of another session's ``stack``."""
        keys = [member.key for member in self.stack]
        rows = [keys.index(member.key) for member in stack]
        found = samples(self.session, self.used, self.objectives, [self.stack[row] for row in rows], part, self.spaces)
        latents = self.latents[np.array(rows)[:, None], found[0].bins]
        return Frozen(torch.as_tensor(latents, device=device), [one.rules for one in found])


def trained(directory: Path) -> xr.Dataset:
    """Return the training.nc of a reference; raise :class:`UsageError` for one that does not say what its space is."""
    training = load_dataset(directory / "training.nc")
    if "space" not in training.attrs:
        raise UsageError(f"{directory}: trained by an earlier version", "train it again")
    return training


def reference(directory: Path, session: xr.Dataset, training: xr.Dataset, config: Config) -> Reference:
    """Return the trained ``session`` of ``directory``, which ``config`` is the config of."""
    used = layout(session, config)
    objectives, outputs = resolve(config, session)
    latents = load_dataset(directory / "embedding.nc")["embedding"].values
    about, stack = meaning(session, objectives, outputs), recorded_stack(training, used)
    scales = recorded_scales(training)
    spaces = {n: s.measured_by(scales[n]) for n, s in label_spaces(session, used, objectives).items()}
    return Reference(directory.resolve().name, session, used, objectives, about, spaces, stack, latents)
