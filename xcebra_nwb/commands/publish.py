"""publish: prepare a dandiset of the results of a run."""

from __future__ import annotations

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
from xcebra_nwb.core.result_files import ResultFiles
from xcebra_nwb.nwb.export.read_back import Exported, read_export
from xcebra_nwb.report.status import session_status

SESSION = "session.nc"
MODALITIES = {"calcium": "ophys"}  # by kind of activity; other kinds are ecephys


@dataclass(frozen=True)
class Published:
    """A prepared dandiset.

    Attributes:
        files: Files of the dandiset.
        left_out: Reason for every session that is left out.
        origins: Dandisets that the files are derived from.
    """

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
    """Prepare a dandiset from the sessions of a table that are done.

    Every file is checked as ``dandi validate`` does; a file with an error is left out, with the reason.

    Args:
        results: Folder of the results.
        table: The table of sessions.
        folder: Folder of the dandiset.
        contact: Contact person, ``Family, Given <address>``.
        name: Name of the dandiset.
        license: Its licence; None: that of the sources.
        dandiset: Identifier of the dandiset.

    Raises:
        UsageError: No session can be published, the contact has another form, or no licence is known.
        Failure: An archive of the sources does not answer, or the dandiset itself is not valid.
    """
    finished, left_out = _finished(results, table)
    exports = _read(finished, left_out)
    for session, reason in _without_partners(exports, results).items():
        left_out[session] = reason
        del finished[session], exports[session]
    _check_any(list(exports), left_out)
    addresses = [export.lineage["address"] for export in exports.values() if "address" in export.lineage]
    sources = publication.origins([*addresses, *_addresses_inside(exports, results)])
    secrecy.log_warnings(sources, (export.lineage for export in exports.values()))
    chosen_license = publication.license_of(sources, len(exports) - len(addresses), license)
    publication.write_metadata(publication.metadata(name, contact, chosen_license, sources, dandiset), folder)
    files = []
    for session, file in finished.items():
        try:
            files.append(_copied(results / session, file, exports[session], folder))
        except XcebraError as error:
            left_out[session] = str(error)
    _check_any(files, left_out)
    if problems := publication.faults(folder):
        raise Failure(f"{folder}: dandi validate: {problems[0]}", "please report this")
    return Published(files, left_out, sources)


def _check_any(publishable: Sequence[object], left_out: Mapping[str, str]) -> None:
    if not publishable:
        raise UsageError("no session can be published", next(iter(left_out.values()), "run the workflow first"))


def _finished(results: Path, table: Path) -> tuple[dict[str, Path], dict[str, str]]:
    """The exports of the sessions that are done, and why the others have none."""
    finished, left_out, files = {}, {}, ResultFiles(results)
    for row in session_table.read(table):
        if row.include:
            status = session_status(results, row.session)
            faults = files.faults_of(row.session, ("extract", "write"))
            if status.state == "done" and faults:
                left_out[row.session] = f"{faults[0].file} is {faults[0].problem}: run the workflow again"
            elif status.state == "done":
                finished[row.session] = results / row.session / f"{row.session}_desc-xcebra.nwb"
            else:
                left_out[row.session] = f"{status.state}: {status.reason}"
    return finished, left_out


def _read(finished: dict[str, Path], left_out: dict[str, str]) -> dict[str, Exported]:
    """Return the exports that can be read; the other sessions move to ``left_out``, with the reason."""
    exports = {}
    for session, file in list(finished.items()):
        try:
            load_dataset(file.parent / SESSION, ("activity",))
            exports[session] = read_export(file)
        except (XcebraError, OSError) as error:
            left_out[session] = str(error)
            del finished[session]
    return exports


def _partners(exported: Exported) -> list[str]:
    """Return the sessions whose data shaped the latent space of a session."""
    lists = (exported.lineage.get(key, "") for key in ("trained_with", "aligned_to"))
    return [name for names in lists for name in names.split(", ") if name]


def _without_partners(exports: Mapping[str, Exported], results: Path) -> dict[str, str]:
    """Why sessions are left out whose encoders learned from others of which nothing is known."""
    missing = {
        session: next((name for name in _partners(export) if not _has_results(name, results)), "")
        for session, export in exports.items()
    }
    return {session: f"trained with {name}, whose results are not here" for session, name in missing.items() if name}


def _has_results(name: str, results: Path) -> bool:
    return re.fullmatch(session_table.SESSION_NAME, name) is not None and (results / name / SESSION).exists()


def _addresses_inside(exports: Mapping[str, Exported], results: Path) -> list[str]:
    """Return the sources that session.nc names, of the sessions and of their partners.

    An export may have been edited; session.nc is not published.
    """
    names = {name for export in exports.values() for name in _partners(export)} | set(exports)
    described = {name: load_dataset(results / name / SESSION, ("activity",)).attrs for name in sorted(names)}
    return [
        str(attrs["source"])
        for name, attrs in described.items()
        if attrs.get("asset_id") or (attrs.get("source_access") and name not in exports)
    ]


def _copied(directory: Path, file: Path, exported: Exported, folder: Path) -> Path:
    described = load_dataset(directory / SESSION, ("activity",))
    kind = str(described["activity"].attrs.get("kind", ""))
    session = exported.session_id or directory.name.rsplit("ses-", 1)[-1]
    path = publication.asset_path(str(described.attrs["subject"]), session, MODALITIES.get(kind, "ecephys"))
    if (folder / path).exists() and read_export(folder / path).lineage["session"] != directory.name:
        raise UsageError(f"{path} is another session already", "give the sessions different identifiers")
    copy = publication.copy_in(file, path, folder)
    if problems := publication.faults(copy):
        remove(copy)
        raise UsageError(
            f"dandi validate: {problems[0]}", "correct the metadata of the source, then run the session again"
        )
    return copy
