"""Compare what was extracted from a file with what is known of the recording."""

from __future__ import annotations

import json
import re
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
import xarray as xr

from tests.support.agreement import disagreement
from tests.support.fuzzing.meaning.fault import Fault
from tests.support.fuzzing.meaning.twins import Truth, Twin, make
from xcebra_nwb.commands.extract import suspicions
from xcebra_nwb.core.config.schema import validate
from xcebra_nwb.core.errors import Refusal, UsageError, XcebraError
from xcebra_nwb.core.netcdf import decode_list
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.core.session import labels
from xcebra_nwb.nwb.extraction.extract import extract_session
from xcebra_nwb.nwb.inventory.inventory import inventory

PARTS = np.linspace(0, 1, 11)  # of a bin, at which the truth is taken
Ending = Literal[
    "right", "masked", "named", "refused", "SILENT", "UNNAMED", "ONLY INSPECTED", "OTHER CODE", "DISAGREE", "CRASH"
]
GOOD = {"right", "masked", "named", "refused"}


@dataclass(frozen=True)
class Outcome:
    """How a file with a fault ended.

    Attributes:
        ending: ``right``, ``masked``, ``named`` or ``refused`` if the promise of the fault was kept.
        detail: The difference, the refusal or the notes.
    """

    ending: Ending
    detail: str = ""

    @property
    def good(self) -> bool:
        """Whether the promise was kept."""
        return self.ending in GOOD


def run(fault: Fault, folder: Path, rng: np.random.Generator, auto: bool = False) -> Outcome:
    """Inject a fault into a fresh recording, extract it and return how that ended.

    Args:
        fault: The fault.
        folder: Folder for the file.
        rng: Random numbers of the recording and of the fault.
        auto: Whether ``auto`` chooses the labels; otherwise they are named.
    """
    twin = make(fault.twin, folder / "twin.nwb", rng, fault.settings)
    with h5py.File(twin.path, "r+") as h5:
        fault.inject(h5, twin, rng)
    if auto and (difference := disagreement(twin.path)):
        return Outcome("DISAGREE", difference)
    return judged(twin, fault, auto)


def judged(twin: Twin, fault: Fault, auto: bool = False) -> Outcome:
    """Return whether the promise of a fault is kept for a file."""
    config = twin.config("auto" if auto else fault.labels or twin.labels)
    try:
        inspected = inventory(twin.path)
        seen = [f"{r.path}: {r.what}" for r in [*inspected.suspicious, *inspected.problems]]
        session = extract_session(twin.path, validate(config), "one")
        session.load()
    except XcebraError as error:
        return _refused(fault, error)
    except Exception:
        return Outcome("CRASH", traceback.format_exc().strip().replace("\n", " | ")[-600:])
    masks = json.loads(session.attrs["masks"])
    said = [*decode_list(session.attrs["choices"]), *masks, *suspicions(inspected, session)]
    difference = differences(session, twin, config["labels"])
    if not difference and not fault.always_named:
        return Outcome("masked" if masks else "right", ", ".join(masks))
    if note := _matching(fault.named, said):
        return Outcome("named", note)
    if note := _matching(fault.named, seen):
        return Outcome("ONLY INSPECTED", f"{difference} | {note}")
    return Outcome("SILENT" if difference else "UNNAMED", f"{difference} | said: {said}, inspected: {seen}"[:700])


def _refused(fault: Fault, error: XcebraError) -> Outcome:
    code = error.code if isinstance(error, Refusal) else Code.CONFIG_DOES_NOT_FIT
    kept = isinstance(error, Refusal | UsageError) and code in fault.refused
    if kept and fault.wrong_remedy and re.search(fault.wrong_remedy, error.remedy):
        return Outcome("OTHER CODE", f"{code}: the remedy would make the fault: {error.message}; {error.remedy}")
    return Outcome("refused" if kept else "OTHER CODE", f"{code}: {error.message}; {error.remedy}")


def _matching(pattern: str, lines: list[str]) -> str:
    return next((line for line in lines if pattern and re.search(pattern, line, re.IGNORECASE)), "")


def differences(session: xr.Dataset, twin: Twin, configured: Any) -> str:
    """Return how the valid bins of a session differ from the truth, "" if they do not."""
    valid = session["valid"].values.astype(bool)
    width = float(session.attrs["bin_width"])
    centres = session["time"].values[valid]
    problems = [_activity(session, twin, valid, centres, width)]
    for name in labels(session):
        source = session[name].attrs["source"]
        derive = configured[name].get("derive") if configured != "auto" else None
        truth = twin.truths.get(f"{source}:{derive}" if derive else source)
        if truth is not None:
            problems.append(_label(session, str(name), truth, valid, centres, width))
    if len(set(session["unit_id"].values.tolist())) < session.sizes["unit"]:
        problems.append("two units have one name")
    return "; ".join(problem for problem in problems if problem)


def _activity(session: xr.Dataset, twin: Twin, valid: np.ndarray, centres: np.ndarray, width: float) -> str:
    rows, activity = session["row"].values, session["activity"].values[valid]
    if twin.spikes is not None:
        if rows.max() >= len(twin.spikes):
            return f"{rows.max() + 1} units instead of {len(twin.spikes)}"
        low, high = centres - width / 2, centres + width / 2
        true = np.stack(
            [np.searchsorted(twin.spikes[row], high) - np.searchsorted(twin.spikes[row], low) for row in rows], axis=1
        )
        wrong, slack = activity != true, 2  # spikes on an edge may fall to either side of it
    else:
        assert twin.traces is not None
        if rows.max() >= twin.traces(centres[:1]).shape[1]:
            return f"{rows.max() + 1} regions of interest instead of {twin.traces(centres[:1]).shape[1]}"
        wrong, slack = np.abs(activity - twin.traces(centres)[:, rows]) > 0.15, 0
    bad = wrong.sum()
    return f"activity: {bad} of {wrong.size} values differ" if bad > slack else ""


def _label(session: xr.Dataset, name: str, truth: Truth, valid: np.ndarray, centres: np.ndarray, width: float) -> str:
    variable = session[name]
    kind, values = variable.attrs["kind"], variable.values[valid]
    if kind != truth.kind:
        return f"{name}: {kind} instead of {truth.kind}"
    times = (centres[:, None] + (PARTS - 0.5) * width).reshape(-1)
    if kind == "discrete":
        classes = np.array(json.loads(variable.attrs["classes"]), dtype=object)
        names = truth.at(times).reshape(len(centres), -1)
        whole = (names == names[:, :1]).all(axis=1) & (names[:, 0] != "")
        known = {str(value) for value in np.unique(names[names != ""].astype(str))}
        if strange := [value for value in classes.tolist() if value not in known]:
            return f"{name}: classes {strange} are none of the recording's"
        wrong = whole & (classes[values] != names[:, 0])
    elif kind == "circular":
        true = np.angle(np.exp(1j * truth.at(times)).reshape(len(centres), -1).mean(axis=1))
        wrong = np.abs(np.angle(np.exp(1j * (values - true)))) > truth.tolerance
    else:
        course = truth.at(times)
        true = course.reshape(len(centres), len(PARTS), -1).mean(axis=1)
        values = values.reshape(len(centres), -1)
        if values.shape != true.shape:
            return f"{name}: {values.shape[1]} axes instead of {true.shape[1]}"
        known_bins = np.isfinite(true).all(axis=1)
        wrong = known_bins & ~(np.abs(values - true) <= truth.tolerance).all(axis=1)
    return f"{name}: {int(wrong.sum())} of {len(wrong)} bins differ" if wrong.any() else ""
