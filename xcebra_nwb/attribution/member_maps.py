"""The maps of a stack, a few members at a time, so that memory grows neither with the nulls nor with the recording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from xcebra_nwb.xcebra.maps.maps import JACOBIAN_METHODS, Maps

BYTES = 100_000_000  # that the latents of the members of a group take
BYTES_A_LATENT = 16  # of a member at a bin: with copies, and the places of its labels


def groups(members: int, bins: int, latents: int) -> list[range]:
    """Return the members whose maps are computed together, by number: as many as their latents at all bins allow."""
    size = max(1, BYTES // (bins * latents * BYTES_A_LATENT))
    return [range(members)[first : first + size] for first in range(0, members, size)]


def computed(methods: Sequence[str], seeds: Sequence[int]) -> list[str]:
    """Return the methods of a group with these ``seeds``: where there are none, the first and what costs nothing."""
    return [m for m in methods if seeds or m == methods[0] or m in JACOBIAN_METHODS]


def joined(parts: Sequence[Maps], methods: Sequence[str]) -> Maps:
    """Return the maps of the members of all ``parts``, in their order; NaN by methods that a part has not computed."""
    return Maps(
        label={method: _together([part.label for part in parts], method) for method in methods},
        latent={method: _together([part.latent for part in parts], method) for method in methods},
        effective_rank=np.concatenate([part.effective_rank for part in parts]),
        condition=np.concatenate([part.condition for part in parts]),
        usable=np.concatenate([part.usable for part in parts]),
        deviance_explained=_explained(parts),
    )


def _together(parts: Sequence[Mapping[str, NDArray[np.float64]]], method: str) -> NDArray[np.float64]:
    return np.concatenate([part.get(method, np.full_like(next(iter(part.values())), np.nan)) for part in parts])


def _explained(parts: Sequence[Maps]) -> NDArray[np.float64] | None:
    """By the generators, if any part has fitted some."""
    known = [part.deviance_explained for part in parts if part.deviance_explained is not None]
    if not known:
        return None
    unknown = [np.full((len(part.usable), known[0].shape[1]), np.nan) for part in parts]
    found = [part.deviance_explained for part in parts]
    return np.concatenate([u if f is None else f for u, f in zip(unknown, found, strict=True)])
