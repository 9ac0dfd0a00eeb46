"""check: compare the findings of pynwb and nwbinspector on the exported file and on its source."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import Any

from xcebra_nwb.archive import pinned
from xcebra_nwb.archive.pinned import Given
from xcebra_nwb.core import provenance
from xcebra_nwb.core.errors import Failure, Refusal, UsageError
from xcebra_nwb.core.files import write_json
from xcebra_nwb.nwb.export.check import Finding, Report, new_findings, report, waived
from xcebra_nwb.nwb.reading.foreign import Follow
from xcebra_nwb.nwb.reading.source import source_name


def check(source: Given, directory: Path, session: str, follow: Follow = Follow.FOLDER) -> list[Path]:
    """Validate and inspect the export of a session; write check.json.

    The file check.json is written even if the export has new findings.

    Args:
        source: The recording: a file, an address, an asset or its source.json.
        directory: The session's results folder.
        session: Name of the session.
        follow: Rule for links of a local file to other files.

    Raises:
        UsageError: The source or the export is missing.
        Failure: The export has findings that the source does not have.
    """
    result = Path(directory) / f"{session}_desc-xcebra.nwb"
    for path, remedy in ((source, "give the NWB file that the session was made from"), (result, "run write first")):
        if isinstance(path, Path) and not path.exists():
            raise UsageError(f"{path}: no such file", remedy)
    with pinned.opened(source) as file:
        before, name = report(file, pinned.followed(source, follow)), PurePosixPath(source_name(file)).name
    after = _report_of_export(result)
    new = new_findings(before, after)
    target = Path(directory) / "check.json"
    write_json(target, _content(session, name, result.name, before, after, new))
    if new:
        more = f"; {len(new) - 1} more in {target}" if len(new) > 1 else ""
        raise Failure(f"{result}: a finding that the source does not have: {new[0]}{more}", "please report this")
    return [target]


def _report_of_export(result: Path) -> Report:
    """Return the findings on our own export.

    An export that cannot be read is a fault of this package, so it is a finding and no refusal.
    """
    try:
        return report(result)
    except Refusal as refusal:
        return Report(Counter([Finding("reading", "", "", f"cannot be read: {refusal.message}")]))


def _content(
    session: str, source: str, result: str, before: Report, after: Report, new: list[Finding]
) -> dict[str, Any]:
    software = provenance.software()
    return {
        "session": session,
        "passed": not new,
        "new": [asdict(finding) for finding in new],
        "waived": [asdict(finding) | {"because": waived(finding)} for finding in after.findings if waived(finding)],
        "source": _summary(source, before),
        "result": _summary(result, after),
        "software": {name: software[name] for name in ("pynwb", "nwbinspector")},
    }


def _summary(name: str, report: Report) -> dict[str, Any]:
    return {"file": name, "validation": report.validation or "done", "findings": _counted(report.findings)}


def _counted(findings: Counter[Finding]) -> list[dict[str, Any]]:
    return [asdict(finding) | {"times": times} for finding, times in sorted(findings.items())]
