"""``read``: the results of a session, of an exported NWB file, or of a whole run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from xcebra_nwb.api.dataset import with_assessment
from xcebra_nwb.api.parts import Parts
from xcebra_nwb.api.tables import labels_table, units_table
from xcebra_nwb.api.to_pynapple import to_pynapple
from xcebra_nwb.archive import given, pinned
from xcebra_nwb.commands.finished_sessions import finished
from xcebra_nwb.core import results as files
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.files import read_json
from xcebra_nwb.core.members import recorded_config
from xcebra_nwb.core.session import load as load_session
from xcebra_nwb.report import atlas
from xcebra_nwb.training.design.split import split_session

if TYPE_CHECKING:
    from xcebra_nwb.api.plots import Plots

RESULT, SESSION, ATLAS = "assessment.json", "session.nc", "atlas.parquet"
POWER = ("shuffles", "unit_q", "carriers_together")


class Results(Parts):
    """The results of one session.

    Attributes:
        name: Name of the session.
        path: Where they were read from.
    """

    def __repr__(self) -> str:
        if self._dataset is None:
            return f"<xcebra_nwb.Results {self.name}: a session dataset without results>"
        verdicts = [f"{label}: {word}" for label, word in self.labels["verdict"].items()]
        return f"<xcebra_nwb.Results {self.name}: {self._dataset.sizes['unit']} units; {'; '.join(verdicts)}>"

    @cached_property
    def units(self) -> pd.DataFrame:
        """All measures of each unit, a row for each; the index is the name of the unit.

        The columns are `region`, `n_spikes`, what the file says of each unit, and for each label `<label>_carries`,
        `<label>_information` (bits a spike, or share of variance; with `_low`, `_high`, `_p`, `_q`),
        `<label>_attribution` (of the tested method; with `_sd`, `_low`, `_high`), `<label>_z` (with `_low`, `_high`,
        `_p`, `_q`), `<label>_tuning_information` (bits a spike) and `<label>_tuning_reliability`.
        """
        return units_table(self.dataset, self._session, self.tuning)

    @cached_property
    def labels(self) -> pd.DataFrame:
        """The verdict on each label with its evidence, a row for each; the index is the name of the label.

        The columns `shuffles`, `unit_q` and `carriers_together` say what the settings could show at best: the number of
        shuffled labels, the smallest q of a unit that carries the label alone, and how many units must carry it
        together to be found (0: none can).
        """
        return labels_table(self.assessment, self._power())

    def _power(self) -> dict[str, dict[str, Any]]:
        from xcebra_nwb.assess.power import power

        if self._files is None:
            return {}
        settings, session = recorded_config(self._files.training), self._files.session
        split, shown = split_session(session, settings), {}
        for label, entry in self.assessment.get("labels", {}).items():
            count = (entry.get("nulls") or {}).get("count")
            if count is not None:
                found = asdict(power(session, split, label, settings, int(count)))
                shown[label] = {key: found[key] for key in POWER}
        return shown

    @property
    def plot(self) -> Plots:
        """Figures of the results: `plot.map("position")` and others, on matplotlib axes."""
        from xcebra_nwb.api.plots import Plots  # matplotlib takes longer to load than results to read

        return Plots(self)

    def to_pynapple(self, spikes: Any = None) -> dict[str, Any]:
        """Return the results as pynapple objects.

        Args:
            spikes: A `TsGroup` whose keys are the names of the units. None: the spike times of the exported NWB file,
                where there is one.

        Returns:
            `units`: a `TsGroup` of spike times (s) with all measures of :attr:`units` as metadata. Without spike times
            it is the activity on bins, a `TsdFrame` (time, unit) with this metadata. `activity`: the activity on bins,
            if `units` are spike times. `embedding`: a `TsdFrame` (time, latent) of the first seed, in the bins in use.
            One `Tsd` or `TsdFrame` for each label. `epochs`: an `IntervalSet` of the segments. An NWB file has `units`
            and `embedding` alone.

        Raises:
            UsageError: pynapple is not installed, there is a session dataset alone, or keys are no names of units.
        """
        return to_pynapple(self, self.units, spikes)


class Atlas:
    """The results of several sessions: the folder of a run.

    Attributes:
        path: The folder, or its atlas.parquet.

    Examples:
        `atlas.units` is the long table of all units, `atlas["sub-1_ses-1"]` the results of a session, and `for results
        in atlas` goes through all.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._folder = path.parent if path.is_file() else path

    def __repr__(self) -> str:
        return f"<xcebra_nwb.Atlas {self.path}: {len(self)} sessions>"

    def __len__(self) -> int:
        return len(self.sessions)

    def __iter__(self) -> Iterator[Results]:
        return (self[name] for name in self.sessions)

    def __getitem__(self, session: str) -> Results:
        if session not in self.sessions:
            raise UsageError(f"{self.path}: no session {session}", f"one of: {', '.join(self.sessions[:10])}")
        return _of_folder(self._folder / session)

    @cached_property
    def sessions(self) -> list[str]:
        """The names of the sessions that have results."""
        return [folder.name for folder in finished(self._folder)]

    @cached_property
    def units(self) -> pd.DataFrame:
        """A row for each session, unit, label and method; docs/reference/results.md#atlasparquet.

        Raises:
            UsageError: The folder has no atlas.
        """
        return atlas.load(self._folder / ATLAS)[0]

    @cached_property
    def labels(self) -> pd.DataFrame:
        """The verdict on each label of each session, a row for each; the index is session and label."""
        read = {name: labels_table(read_json(self._folder / name / RESULT)) for name in self.sessions}
        return pd.concat(read, names=["session"]) if read else pd.DataFrame()


def read(path: Path | str) -> Results | Atlas:
    """Return the results at a path or an address.

    Args:
        path: Results folder of a session; its session.nc, or a file of that kind; an exported NWB file
            (`*_desc-xcebra.nwb`), also at an address (`https://...`, `dandi://...`); the folder of a run; or its
            atlas.parquet.

    Returns:
        :class:`Results` of one session, or an :class:`Atlas` of several.

    Raises:
        UsageError: There is no such file or folder, or it has no results.
        Failure: An address does not answer.

    Examples:
        >>> import tempfile, xcebra_nwb
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     xcebra_nwb.read(folder)
        Traceback (most recent call last):
        xcebra_nwb.core.errors.UsageError: ...: no results in this folder (give the results folder of a session or ...)
    """
    if isinstance(path, str) and (pinned.is_address(path) or given.names_dandiset(path)):
        return _of_nwb(path)
    where = Path(path).expanduser()
    if where.is_dir():
        return _of_any_folder(where)
    if not where.exists():
        raise UsageError(f"{where}: no such file or folder", "give the results folder of a session or a run")
    if where.name == ATLAS:
        return Atlas(where)
    if where.suffix == ".nc":
        session = load_session(where)
        return Results(str(session.attrs["session"]), where, None, session)
    return _of_nwb(where)


def _of_any_folder(where: Path) -> Results | Atlas:
    if (where / RESULT).is_file():
        return _of_folder(where)
    if (where / SESSION).is_file():
        session = load_session(where / SESSION)
        return Results(str(session.attrs["session"]), where, None, session)
    if finished(where) or (where / ATLAS).is_file():
        return Atlas(where)
    raise UsageError(f"{where}: no results in this folder", "give the results folder of a session or a run")


def _of_folder(where: Path) -> Results:
    opened = files.load(where)
    dataset = with_assessment(opened.attribution, opened.assessment)
    return Results(str(opened.session.attrs["session"]), where, dataset, opened.session, opened)


def _of_nwb(path: Path | str) -> Results:
    from xcebra_nwb.api.nwb_results import read_exported  # pynwb takes a second to load

    name, dataset = read_exported(given.source(path))
    return Results(name, path, dataset, None)
