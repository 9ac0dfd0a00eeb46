"""publish: the results of a run as a dandiset, on disk, and in an archive when told."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from xcebra_nwb.archive import publication, secrecy
from xcebra_nwb.archive.cache import remove
from xcebra_nwb.archive.publication import UNNAMED, Origin
from xcebra_nwb.core import session_table
from xcebra_nwb.core.errors import Failure, UsageError, XcebraError
from xcebra_nwb.core.netcdf import load_dataset
from xcebra_nwb.nwb.export.read_back import Exported, read_export
from xcebra_nwb.report.status import session_status

logger = logging.getLogger("xcebra_nwb")
SESSION = "session.nc"
MODALITIES = {"calcium": "ophys"}  # by kind of activity; all else is ecephys


@dataclass(frozen=True)
class Published:
    """A prepared dandiset: its files, why sessions are not among them, and what the files are derived from."""

    files: list[Path] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    origins: list[Origin] = field(default_factory=list)


def publish(
    results: Path,
    table: Path,
    folder: Path,
    contact: str,
    name: str = "xCEBRA attribution maps",
    license: str | None = None,
    dandiset: str = UNNAMED,
) -> Published:
    """Prepare a dandiset in ``folder`` from the sessions of ``table`` that are done in ``results``.

    Every file is checked as ``dandi validate`` does; one with an error is left out, with the reason.

    Raises:
        UsageError: no session can be published, the contact is not of the right form, or no licence is known.
        Failure: an archive that sources come from is out of reach, or the dandiset itself is not valid.
    """
    chosen, left_out = _chosen(results, table)
    exports = {session: read_export(file) for session, file in chosen.items()}
    for session, reason in _in_the_dark(exports, results).items():
        left_out[session] = reason
        del chosen[session], exports[session]
    _check_any(list(exports), left_out)
    addresses = [one.lineage["address"] for one in exports.values() if "address" in one.lineage]
    sources = publication.origins([*addresses, *_addresses_inside(exports, results)])
    secrecy.log_warnings(sources, (one.lineage for one in exports.values()))
    chosen_license = publication.license_of(sources, len(exports) - len(addresses), license)
    publication.write_metadata(publication.metadata(name, contact, chosen_license, sources, dandiset), folder)
    files = []
    for session, file in chosen.items():
        try:
            files.append(_placed(results / session, file, exports[session], folder))
        except XcebraError as error:
            left_out[session] = str(error)
    _check_any(files, left_out)
    if problems := publication.faults(folder):
        raise Failure(f"{folder}: dandi validate: {problems[0]}", "please report this")
    return Published(files, left_out, sources)


def _check_any(left: Sequence[object], left_out: Mapping[str, str]) -> None:
    if not left:
        raise UsageError("no session can be published", next(iter(left_out.values()), "run the workflow first"))


def _chosen(results: Path, table: Path) -> tuple[dict[str, Path], dict[str, str]]:
    """The exports of the sessions that are done, and why the others have none."""
    chosen, left_out = {}, {}
    for row in session_table.read(table):
        if row.include:
            status = session_status(results, row.session)
            if status.state == "done":
                chosen[row.session] = results / row.session / f"{row.session}_desc-xcebra.nwb"
            else:
                left_out[row.session] = f"{status.state}: {status.reason}"
    return chosen, left_out


def _partners(exported: Exported) -> list[str]:
    """The sessions whose data made the space that a session's encoders are in."""
    named = (exported.lineage.get(key, "") for key in ("trained_with", "aligned_to"))
    return [name for names in named for name in names.split(", ") if name]


def _in_the_dark(exports: Mapping[str, Exported], results: Path) -> dict[str, str]:
    """Why sessions are left out whose encoders learned from others of which nothing is known."""
    gone = {
        session: next((name for name in _partners(one) if not _is_here(name, results)), "")
        for session, one in exports.items()
    }
    return {session: f"trained with {name}, whose results are not here" for session, name in gone.items() if name}


def _is_here(name: str, results: Path) -> bool:
    return re.fullmatch(session_table.SESSION_NAME, name) is not None and (results / name / SESSION).exists()


def _addresses_inside(exports: Mapping[str, Exported], results: Path) -> list[str]:
    """What session.nc says of the sources of sessions, whose exports may have been edited, and of their partners."""
    names = {name for one in exports.values() for name in _partners(one)} | set(exports)
    described = {name: load_dataset(results / name / SESSION, ("activity",)).attrs for name in sorted(names)}
    return [
        str(attrs["source"])
        for name, attrs in described.items()
        if attrs.get("asset_id") or (attrs.get("source_access") and name not in exports)
    ]


def _placed(directory: Path, file: Path, exported: Exported, folder: Path) -> Path:
    described = load_dataset(directory / SESSION, ("activity",))
    kind = str(described["activity"].attrs.get("kind", ""))
    session = exported.session_id or directory.name.rsplit("ses-", 1)[-1]
    path = publication.asset_path(str(described.attrs["subject"]), session, MODALITIES.get(kind, "ecephys"))
    if (folder / path).exists() and read_export(folder / path).lineage["session"] != directory.name:
        raise UsageError(f"{path} is another session already", "give the sessions different identifiers")
    placed = publication.copy_in(file, path, folder)
    if problems := publication.faults(placed):
        remove(placed)
        raise UsageError(f"dandi validate: {problems[0]}", "mend the source's metadata, then run the session again")
    return placed
