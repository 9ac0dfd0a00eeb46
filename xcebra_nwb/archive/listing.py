"""List the assets of a dandiset version with their metadata.

A listing is read page by page, and nothing is downloaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from xcebra_nwb.archive.access import access_of
from xcebra_nwb.archive.connection import connected, explained, parsed
from xcebra_nwb.core.errors import Failure, UsageError

if TYPE_CHECKING:
    from dandi.dandiapi import DandiAPIClient
    from dandi.dandiarchive import ParsedDandiURL

PAGE = 1000  # assets in one answer, the most that the archive gives
TRIES = 3  # tries to list a draft that changes meanwhile
GLOB = re.compile(r"[*\[]")  # a question mark is part of addresses
DRAFT = "draft"
MOST = 300_000  # assets; a table of sessions cannot hold more
ETAG, SHA256 = re.compile(r"[0-9A-Za-z-]{1,200}"), re.compile(r"[0-9A-Fa-f]{64}")
ASSET_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass(frozen=True)
class DandisetVersion:
    """A version of a dandiset in an archive.

    Attributes:
        instance: Name of the archive.
        api: Address of its API.
        known: Whether ``dandi://`` addresses know the name of the archive.
        dandiset: Identifier of the dandiset.
        version: Identifier of the version.
        access: Who may see it (:mod:`.access`).
    """

    instance: str
    api: str
    known: bool
    dandiset: str
    version: str
    access: str

    def address(self, path: str, asset_id: str) -> str:
        """Return an address of an asset that the dandi client understands.

        Args:
            path: Path of the asset.
            asset_id: Its identifier.

        >>> version = DandisetVersion("dandi", "https://example.org/api", True, "000207", "0.220216.0323", "open")
        >>> version.address("sub-4/a.nwb", "")
        'dandi://dandi/000207@0.220216.0323/sub-4/a.nwb'
        """
        if self.known:
            return f"dandi://{self.instance}/{self.dandiset}@{self.version}/{quote(path)}"
        return f"{self.api}/dandisets/{self.dandiset}/versions/{self.version}/assets/{quote(asset_id)}/"


@dataclass(frozen=True)
class Listed:
    """An asset in a listing."""

    source: DandisetVersion
    asset_id: str
    path: str
    size: int
    metadata: Mapping[str, Any]

    @property
    def etag(self) -> str:
        """The dandi-etag, or the checksum of a Zarr; "" if it is not stated."""
        return self._digest("dandi:dandi-etag", ETAG) or self._digest("dandi:dandi-zarr-checksum", ETAG)

    @property
    def sha256(self) -> str:
        """Return the SHA-256 of the asset, "" until the archive has computed it."""
        return self._digest("dandi:sha2-256", SHA256)

    def _digest(self, name: str, form: re.Pattern[str]) -> str:
        """Return a digest, "" if it is missing or invalid.

        It becomes the name of a folder of the cache.
        """
        stated = str((self.metadata.get("digest") or {}).get(name) or "")
        return stated if form.fullmatch(stated) else ""

    @property
    def variables(self) -> list[str]:
        """The NWB types that the archive found in the file."""
        return [str(entry.get("value", "")) for entry in self.metadata.get("variableMeasured") or []]

    @property
    def species(self) -> list[str]:
        """The species of the subjects."""
        subjects = self.metadata.get("wasAttributedTo") or []
        return [str(entry["species"].get("name", "")) for entry in subjects if entry.get("species")]

    @property
    def regions(self) -> list[str]:
        """The brain regions in the metadata; most dandisets have none."""
        named = [entry for entry in self.metadata.get("about") or [] if entry.get("schemaKey") == "Anatomy"]
        pending = list(self.metadata.get("wasDerivedFrom") or [])  # a sample may be taken from another sample
        while pending:
            sample = pending.pop()
            named += sample.get("anatomy") or []
            pending += sample.get("wasDerivedFrom") or []
        return [str(entry.get("name", "")) for entry in named]


def listed(address: str, *, draft: bool = False) -> list[Listed]:
    """Return the assets that an address names, all of one version.

    Args:
        address: A dandiset, a folder, a pattern or one asset.
        draft: Whether a draft may be used.

    Raises:
        UsageError: There is no such asset, a key is missing, or there is only a draft that may not be used.
        Failure: The archive cannot be reached, or a draft can change during the listing.
    """
    url = parsed(address, glob=bool(GLOB.search(address)))
    from dandi.dandiarchive import BaseAssetIDURL

    if isinstance(url, BaseAssetIDURL) or url.dandiset_id is None:
        raise UsageError(f"{address}: names no dandiset", "give .../dandisets/<id>/versions/<version>/assets/<asset>/")
    with connected(url.instance, url.dandiset_id) as client, explained(address):
        source = _version(client, url, address, draft)
        assets = [asset for asset in _listing(client, source, _filter(url)) if _named(asset, url)]
    if not assets:
        raise UsageError(f"{address}: no asset of that name in version {source.version}", "see `dandi ls`")
    return assets


def _version(client: DandiAPIClient, url: ParsedDandiURL, address: str, draft: bool) -> DandisetVersion:
    from dandi.consts import known_instances

    assert url.dandiset_id is not None
    dandiset = client.get_dandiset(url.dandiset_id, url.version_id, lazy=False)
    if dandiset.version_id == DRAFT and not draft:
        newest = dandiset.most_recent_published_version
        remedy = f"use {newest.identifier}, or add --draft" if newest else "nothing is published yet: add --draft"
        raise UsageError(f"{address}: a draft can change", f"{remedy}; its assets are then pinned by digest")
    instance = client.dandi_instance
    known = instance.name in known_instances
    api, access = client.api_url.rstrip("/"), access_of(dandiset)
    return DandisetVersion(instance.name, api, known, dandiset.identifier, dandiset.version_id, access)


def _filter(url: ParsedDandiURL) -> dict[str, str]:
    """Return the part of the selection that the archive can make."""
    from dandi.dandiarchive import AssetGlobURL, AssetIDURL, DandisetURL

    if isinstance(url, DandisetURL | AssetIDURL):
        return {}
    return {"glob" if isinstance(url, AssetGlobURL) else "path": str(getattr(url, "path", ""))}


def _named(asset: Listed, url: ParsedDandiURL) -> bool:
    """Return whether an asset is meant; the archive selects by prefix only."""
    from dandi.dandiarchive import AssetIDURL, AssetItemURL

    if isinstance(url, AssetItemURL):
        return asset.path == url.path
    return asset.asset_id == url.asset_id if isinstance(url, AssetIDURL) else True


def _listing(client: DandiAPIClient, source: DandisetVersion, chosen: dict[str, str]) -> list[Listed]:
    """Return all assets, each once.

    A draft that changes between two pages is listed again.
    """
    for _ in range(TRIES):
        assets = list(_pages(client, source, chosen))
        ids = {asset.asset_id for asset in assets}
        if len(ids) == len(assets) and (source.version != DRAFT or ids == _ids(client, source, chosen)):
            return assets
    raise Failure(
        f"DANDI:{source.dandiset}/{source.version}: changed during the listing", "wait until its upload is done"
    )


def _pages(client: DandiAPIClient, source: DandisetVersion, chosen: dict[str, str]) -> Iterator[Listed]:
    path = f"/dandisets/{source.dandiset}/versions/{source.version}/assets/"
    asked = {"metadata": "true", "order": "created", **chosen}
    for number, row in enumerate(client.paginate(path, page_size=PAGE, params=asked)):
        if number == MOST:
            raise Failure(f"DANDI:{source.dandiset}/{source.version}: more than {MOST:,} assets", "name a folder of it")
        yield _asset(source, row)


def _asset(source: DandisetVersion, row: Mapping[str, Any]) -> Listed:
    """Return a row of a listing as an asset, after a check of all types."""
    try:
        asset = Listed(source, row["asset_id"], row["path"], row["size"], row.get("metadata") or {})
        read = (
            asset.etag,
            asset.sha256,
            asset.variables,
            asset.species,
            asset.regions,
            ASSET_ID.fullmatch(asset.asset_id),
        )
        right = read[-1] is not None and isinstance(asset.path, str) and type(asset.size) is int and asset.size >= 0
    except (LookupError, TypeError, AttributeError):
        right = False
    if not right:
        where = f"DANDI:{source.dandiset}/{source.version}"
        raise Failure(f"{where}: an asset is listed in another form than archives have", "tell the archive")
    return asset


def _ids(client: DandiAPIClient, source: DandisetVersion, chosen: dict[str, str]) -> set[str]:
    path = f"/dandisets/{source.dandiset}/versions/{source.version}/assets/"
    return {row["asset_id"] for row in client.paginate(path, page_size=PAGE, params={"order": "created", **chosen})}
