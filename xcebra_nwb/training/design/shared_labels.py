"""Compare the labels of sessions that share a latent space, and number their classes alike.

In joint training, positives are drawn from other sessions by the value of a label. So labels must agree in kind, units,
axes and classes. A session whose labels differ is refused, and the message names the difference.
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
    """Return the properties that must be equal in sessions of a shared latent space.

    Args:
        session: session dataset with the labels.
        objectives: objectives of the session.
        outputs: number of latents.

    Returns:
        Values by the names of the properties, such as "bin width" or "label speed, units".
    """
    properties = {"bin width": f"{float(session.attrs['bin_width']):g} s", "number of latents": str(outputs)}
    for objective in objectives:
        for name in objective.labels:
            properties |= _meaning_of_label(name, labels(session)[name])
        properties[f"objective {objective.name}"] = json.dumps(objective.model_dump(mode="json", exclude_defaults=True))
    return properties


def _meaning_of_label(name: str, label: xr.DataArray) -> dict[str, str]:
    about = {"kind": str(label.attrs["kind"]), "units": str(label.attrs["units"]).strip() or "none"}
    about["axes"] = str(label_axes(label))
    if label.attrs["kind"] == "discrete":
        about["classes"] = ", ".join(sorted(decode_list(label.attrs["classes"])))
    return {f"label {name}": "there"} | {f"label {name}, {part}": value for part, value in about.items()}


def largest_group(meanings: Mapping[str, dict[str, str]]) -> tuple[list[str], dict[str, str]]:
    """Return the largest group of sessions with equal labels, and the differences.

    Of equally large groups, the group with the first name is taken.

    Args:
        meanings: properties of every session (:func:`meaning`), by its name.

    Returns:
        Names of the sessions of the group, and one line for every other session.

    >>> largest_group({"a": {"bin width": "0.02 s"}, "b": {"bin width": "0.05 s"}, "c": {"bin width": "0.05 s"}})
    (['b', 'c'], {'a': 'bin width: 0.02 s here, 0.05 s in b'})
    """
    names = sorted(meanings)
    groups = [[other for other in names if meanings[other] == meanings[name]] for name in names]
    kept = max(groups, key=len)
    differing = {name: difference(meanings[name], meanings[kept[0]], kept[0]) for name in names if name not in kept}
    return kept, differing


def difference(here: dict[str, str], other: dict[str, str], name: str) -> str:
    """Return, in one line, the first property in which two sessions differ.

    Args:
        here: properties of the session (:func:`meaning`).
        other: properties of the session that it is compared with.
        name: name of that session.

    >>> difference({"label speed, units": "m/s"}, {"label speed, units": "cm/s"}, "rat2")
    'label speed, units: m/s here, cm/s in rat2'
    """
    differing = next(part for part in sorted(here | other) if here.get(part) != other.get(part))
    return f"{differing}: {here.get(differing, ABSENT)} here, {other.get(differing, ABSENT)} in {name}"


def comparable(sessions: Sequence[xr.Dataset], order: Sequence[str] = ()) -> list[xr.Dataset]:
    """Return sessions with labels in the same order and classes numbered alike.

    Args:
        sessions: session datasets.
        order: names of labels that come first; the others follow as in the first session.

    Returns:
        The sessions, with classes sorted by name.
    """
    names = list(dict.fromkeys([*order, *labels(sessions[0])]))
    return [_in_order(session, names) for session in sessions]


def _in_order(session: xr.Dataset, order: Sequence[str]) -> xr.Dataset:
    by_name = labels(session)
    names = [name for name in order if name in by_name] + [name for name in by_name if name not in order]
    renumbered = {n: _renumbered(by_name[n]) if by_name[n].attrs["kind"] == "discrete" else by_name[n] for n in names}
    return session.drop_vars(names).assign(renumbered)


def _renumbered(label: xr.DataArray) -> xr.DataArray:
    classes = decode_list(label.attrs["classes"])
    order = sorted(range(len(classes)), key=classes.__getitem__)
    number = np.append(np.argsort(order), -1)  # -1, a missing value, stays -1
    renumbered = label.copy(data=number[label.values].astype(label.dtype))
    return renumbered.assign_attrs(classes=json.dumps([classes[code] for code in order]))


def in_one_space(sessions: Sequence[PreparedSession]) -> list[PreparedSession]:
    """Return sessions with the same members and the same label scales.

    Only members that all sessions have are kept, because a label may have fewer nulls in one session. The scale of a
    label axis is the mean over sessions.
    """
    keys = [{member.key for member in session.members} for session in sessions]
    scales = {
        name: np.mean([session.spaces[name].scale for session in sessions], axis=0) for name in sessions[0].spaces
    }
    return [with_label_scales(with_members(session, keys), scales) for session in sessions]


def with_members(session: PreparedSession, ensembles: Sequence[Set[Key]]) -> PreparedSession:
    """Return ``session`` with the members whose keys are in all of ``ensembles``."""
    shared = [member for member in session.members if all(member.key in keys for keys in ensembles)]
    return replace(session, members=shared)


def with_label_scales(session: PreparedSession, scales: Mapping[str, NDArray[np.float64]]) -> PreparedSession:
    """Return ``session`` with the label scales (axis,) given for every objective."""
    spaces = {name: space.with_scale(scales[name]) for name, space in session.spaces.items()}
    return replace(session, spaces=spaces)
