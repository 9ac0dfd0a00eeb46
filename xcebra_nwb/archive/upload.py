"""Upload results to an archive.

Files that are there already are not sent again, and files of others are not changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xcebra_nwb import __version__
from xcebra_nwb.archive import secrecy
from xcebra_nwb.archive.access import stays_closed
from xcebra_nwb.archive.connection import connected, explained
from xcebra_nwb.archive.publication import Origin, origins
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.nwb.export.read_back import read_export

if TYPE_CHECKING:
    from dandi.dandiapi import RemoteAsset, RemoteDandiset

AUTHOR = "xcebra-nwb"
SANDBOX = "dandi-sandbox"


def upload(
    folder: Path,
    files: Sequence[Path],
    dandiset: str,
    instance: str = SANDBOX,
    sources: Sequence[Origin] = (),
    public: bool = False,
) -> dict[str, list[str]]:
    """Send files of a dandiset on disk to the draft of a dandiset.

    All files are looked up before the first is sent. Sources are added to ``relatedResource`` of the dandiset; its
    other metadata stay. After an interruption, the same call continues.

    Args:
        folder: The dandiset on disk.
        files: The files to send.
        dandiset: Identifier of the dandiset to send them to.
        instance: Name or address of its archive.
        sources: Sources of the files, beside those that the files name themselves.
        public: Whether data that are not open may become public.

    Returns:
        Paths of the files by outcome: ``sent``, ``replaced`` or ``there``.

    Raises:
        UsageError: There is no key or no such dandiset, a file of that name is not ours, or data that are not open
            would become public without ``public``.
        Failure: The archive cannot be reached.
    """
    lineages = [read_export(file).lineage for file in files]
    sources = [*sources, *origins(lineage["address"] for lineage in lineages if "address" in lineage)]
    with connected(instance, dandiset, key=True) as client, explained(f"{instance}:{dandiset}"):
        remote = client.get_dandiset(dandiset, "draft", lazy=False)
        if not stays_closed(remote):
            secrecy.check(list(dict.fromkeys(sources)), lineages, f"{instance}:{dandiset}", public)
        held = {path: _held(remote, path) for path in (_path(file, folder) for file in files)}
        foreign = [path for path, asset in held.items() if asset is not None and not _is_ours(asset)]
        if foreign:
            problem = f"{instance}:{dandiset}: {foreign[0]} is there and not from xcebra-nwb"
            raise UsageError(problem, "nothing was sent; use another dandiset")
        done: dict[str, list[str]] = {"sent": [], "replaced": [], "there": []}
        for file in files:
            path = _path(file, folder)
            done[_send(file, folder, remote, held[path])].append(path)
        _relate(remote, folder)
    return done


def _path(file: Path, folder: Path) -> str:
    return file.relative_to(folder).as_posix()


def _held(remote: RemoteDandiset, path: str) -> RemoteAsset | None:
    from dandi.exceptions import NotFoundError

    try:
        return remote.get_asset_by_path(path)
    except NotFoundError:
        return None


def _is_ours(asset: RemoteAsset) -> bool:
    activities = asset.get_raw_metadata().get("wasGeneratedBy") or []
    return any(
        agent.get("name") == AUTHOR for activity in activities for agent in activity.get("wasAssociatedWith") or []
    )


def _send(file: Path, folder: Path, remote: RemoteDandiset, held: RemoteAsset | None) -> str:
    from dandi.files import dandi_file

    local = dandi_file(file, folder)
    digest = local.get_digest()
    if held is not None and held.get_raw_metadata().get("digest", {}).get("dandi:dandi-etag") == digest.value:
        return "there"
    metadata = local.get_metadata(digest=digest, ignore_errors=False).model_dump(mode="json", exclude_none=True)
    for _ in local.iter_upload(remote, _signed(metadata), replacing=held):
        pass
    return "sent" if held is None else "replaced"


def _signed(metadata: dict[str, Any]) -> dict[str, Any]:
    """Return the metadata of an asset with their author."""
    agent = {"schemaKey": "Software", "name": AUTHOR, "version": __version__}
    now = datetime.now(UTC).isoformat()
    activity = {"schemaKey": "Activity", "name": "xCEBRA attribution", "endDate": now, "wasAssociatedWith": [agent]}
    return metadata | {"wasGeneratedBy": [*(metadata.get("wasGeneratedBy") or []), activity]}


def _relate(remote: RemoteDandiset, folder: Path) -> None:
    import yaml

    prepared = yaml.safe_load((folder / "dandiset.yaml").read_text(encoding="utf-8"))
    current: Mapping[str, Any] = remote.get_raw_metadata()
    related = list(current.get("relatedResource") or [])
    known = {(resource.get("relation"), resource.get("identifier")) for resource in related}
    new = [
        resource
        for resource in prepared["relatedResource"]
        if (resource["relation"], resource["identifier"]) not in known
    ]
    if new:
        remote.set_raw_metadata({**current, "relatedResource": related + new})
