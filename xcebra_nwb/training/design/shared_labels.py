"""Sessions that are trained together: whether their labels mean the same, and classes that are numbered alike.

A positive is looked for in another session by the value of a label, so a metre must be a metre and a class the class of
that name. Nothing is guessed: a session that differs is told in what.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.core.config.objectives import Objective
from xcebra_nwb.core.members import Key
from xcebra_nwb.core.netcdf import decode_list
from xcebra_nwb.core.session import label_axes, labels
from xcebra_nwb.training.design.prepare import PreparedSession

ABSENT = "absent"


def meaning(session: xr.Dataset, objectives: Sequence[Objective], outputs: int) -> dict[str, str]:
    """Return everything that sessions of a shared latent space have in common, in words, by what it is about."""
    found = {"bin width": f"{float(session.attrs['bin_width']):g} s", "number of latents": str(outputs)}
    for objective in objectives:
        for name in objective.labels:
            found |= _meaning_of_label(name, labels(session)[name])
        found[f"objective {objective.name}"] = json.dumps(objective.model_dump(mode="json", exclude_defaults=True))
    return found


def _meaning_of_label(name: str, label: xr.DataArray) -> dict[str, str]:
    about = {"kind": str(label.attrs["kind"]), "units": str(label.attrs["units"]).strip() or "none"}
    about["axes"] = str(label_axes(label))
    if label.attrs["kind"] == "discrete":
        about["classes"] = ", ".join(sorted(decode_list(label.attrs["classes"])))
    return {f"label {name}": "there"} | {f"label {name}, {part}": value for part, value in about.items()}


def largest_group(meanings: Mapping[str, dict[str, str]]) -> tuple[list[str], dict[str, str]]:
    """Return the names of the sessions that mean the same, and of every other session in what it differs from them.

    The largest group it is; of equally large ones that of the session that comes first by name.
    """
    names = sorted(meanings)
    groups = [[other for other in names if meanings[other] == meanings[name]] for name in names]
    kept = max(groups, key=len)
    differing = {name: difference(meanings[name], meanings[kept[0]], kept[0]) for name in names if name not in kept}
    return kept, differing


def difference(own: dict[str, str], other: dict[str, str], name: str) -> str:
    """Return in one line the first point in which a session's ``own`` meaning differs from that of session ``name``."""
    about = next(part for part in sorted(own | other) if own.get(part) != other.get(part))
    return f"{about}: {own.get(about, ABSENT)} here, {other.get(about, ABSENT)} in {name}"


def comparable(sessions: Sequence[xr.Dataset], order: Sequence[str] = ()) -> list[xr.Dataset]:
    """Return ``sessions`` with labels in the same order and classes numbered alike, whatever order the files had.

    Labels stand in ``order``, those it does not name as in the first session; classes in the order of their names.
    """
    names = list(dict.fromkeys([*order, *labels(sessions[0])]))
    return [_in_order(session, names) for session in sessions]


def _in_order(session: xr.Dataset, order: Sequence[str]) -> xr.Dataset:
    found = labels(session)
    names = [name for name in order if name in found] + [name for name in found if name not in order]
    renumbered = {n: _renumbered(found[n]) if found[n].attrs["kind"] == "discrete" else found[n] for n in names}
    return session.drop_vars(names).assign(renumbered)


def _renumbered(label: xr.DataArray) -> xr.DataArray:
    classes = decode_list(label.attrs["classes"])
    order = sorted(range(len(classes)), key=classes.__getitem__)
    number = np.append(np.argsort(order), -1)  # -1, a missing value, stays what it is
    renumbered = label.copy(data=number[label.values].astype(label.dtype))
    return renumbered.assign_attrs(classes=json.dumps([classes[code] for code in order]))


def in_one_space(sessions: Sequence[PreparedSession]) -> list[PreparedSession]:
    """Return ``sessions`` with the members that all of them have, and their labels measured by one scale.

    A label may have fewer nulls in one of the sessions. The scale of an axis is the mean over the sessions' own scales.
    """
    keys = [{member.key for member in session.members} for session in sessions]
    scales = {
        name: np.mean([session.spaces[name].scale for session in sessions], axis=0) for name in sessions[0].spaces
    }
    return [measured_by(with_members(session, keys), scales) for session in sessions]


def with_members(session: PreparedSession, ensembles: Sequence[Set[Key]]) -> PreparedSession:
    """Return ``session`` with those of its members that all of ``ensembles`` have."""
    shared = [member for member in session.members if all(member.key in keys for keys in ensembles)]
    return replace(session, members=shared)


def measured_by(session: PreparedSession, scales: Mapping[str, NDArray[np.float64]]) -> PreparedSession:
    """Return ``session`` with its labels divided by ``scales`` (axis,), by objective."""
    spaces = {name: space.measured_by(scales[name]) for name, space in session.spaces.items()}
    return replace(session, spaces=spaces)
