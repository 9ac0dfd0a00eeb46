"""write: results of a session -> an NWB file."""

from __future__ import annotations

from pathlib import Path

from xcebra_nwb.archive import pinned
from xcebra_nwb.archive.pinned import Given
from xcebra_nwb.core.errors import Failure, UsageError
from xcebra_nwb.core.files import atomic, check_disk_space, sha256
from xcebra_nwb.core.results import Results, load
from xcebra_nwb.nwb.export.writer import export
from xcebra_nwb.nwb.reading.foreign import Follow


def write(source: Given, directory: Path, session: str, follow: Follow = Follow.FOLDER) -> list[Path]:
    """Write the results of a session into an NWB file and return its path.

    The file is ``<session>_desc-xcebra.nwb``, HDF5 also if ``source`` is Zarr. It holds the metadata of ``source``
    without its series, the results, and nothing that ``source`` reads from other files. ``source`` is never changed.

    Args:
        source: The recording: a file, an address, an asset or its source.json.
        directory: The session's results folder.
        session: Name of the session.
        follow: Rule for links of a local file to other files.

    Raises:
        UsageError: The source or a result is missing.
        Failure: The results were made from another file, or pynwb cannot export the source.
    """
    directory = Path(directory)
    if isinstance(source, Path) and not source.exists():
        raise UsageError(f"{source}: no such file", "give the NWB file that the session was extracted from")
    results = load(directory)
    if not _is_the_source(source, results):
        raise Failure(
            f"{pinned.name_of(source)}: not the file that {session} was extracted from",
            "run the session again from extract",
        )
    target = directory / f"{session}_desc-xcebra.nwb"
    with pinned.opened(source) as file, atomic(target) as temporary:
        check_disk_space(directory, results.attribution.nbytes + results.embedding.nbytes)
        export(file, temporary, results, pinned.followed(source, follow))
    return [target]


def _is_the_source(source: Given, results: Results) -> bool:
    attrs, asset = results.session.attrs, pinned.load(source)
    if asset is not None:
        return all(asset.lineage[name] == str(attrs.get(name, "")) for name in pinned.PINNED)
    if isinstance(source, str) and pinned.is_address(source):
        return str(attrs["source"]) == pinned.name_of(source)
    return attrs["sha256"] in {"", sha256(Path(str(source)))}
