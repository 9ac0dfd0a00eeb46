"""write: put a session's results into an NWB file that others can open."""

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
    """Write ``<session>_desc-xcebra.nwb`` into the session's results ``directory``; return its path in a list.

    The file, HDF5 also where ``source`` is Zarr, holds what ``source`` says of itself, without its series, and the
    results, and nothing that ``source`` reads from other files. ``source`` is never changed.

    Raises:
        UsageError: there is no source, or a result is missing.
        Failure: the source is not the file that the results were made from, or pynwb cannot export it.
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
