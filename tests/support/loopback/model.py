"""What the archive holds, and the answers that it gives, in the shapes that a real server was recorded with."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dandi.support.digests import get_digest, get_zarr_checksum

TIME = "2026-11-22T11:15:31.040400Z"
Content = bytes | Path


@dataclass
class Asset:
    """An asset: a blob (``content``), or a Zarr if its content is a folder."""

    path: str
    content: Content
    metadata: dict[str, Any] = field(default_factory=dict)
    size: int = -1
    digest: dict[str, str] = field(default_factory=dict)
    asset_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    blob_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def zarr(self) -> bool:
        return isinstance(self.content, Path) and self.content.is_dir()

    def row(self) -> dict[str, Any]:
        return {
            "asset_id": self.asset_id,
            "blob": None if self.zarr else self.blob_id,
            "zarr": self.blob_id if self.zarr else None,
            "path": self.path,
            "size": self.size,
            "created": TIME,
            "modified": TIME,
        }


@dataclass
class Version:
    assets: dict[str, Asset] = field(default_factory=dict)  # by asset id
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass
class Dandiset:
    embargoed: bool = False
    opening: bool = False  # it was embargoed, and is being made public
    versions: dict[str, Version] = field(default_factory=lambda: {"draft": Version()})

    @property
    def newest(self) -> str | None:
        published = [name for name in self.versions if name != "draft"]
        return published[-1] if published else None


class Archive:
    """Dandisets by identifier, keys that open the embargoed ones, and what goes wrong."""

    def __init__(self) -> None:
        self.api = self.store = ""  # addresses, set by the server
        self.dandisets: dict[str, Dandiset] = {}
        self.keys: set[str] = set()
        self.keys_of_others: set[str] = set()  # good ones, of users who own nothing
        self.taken_out: set[str] = set()  # assets of embargoed dandisets, kept and shown to nobody
        self.rows: Callable[[list[Any]], list[Any]] = lambda rows: rows  # lies about what a page lists
        self.following: Callable[[str | None], str | None] = lambda address: address  # and what comes after it
        self.after_page: Callable[[], None] = lambda: None
        self.uploaded: dict[str, Content] = {}

    def add(self, path: str, content: Content, dandiset: str = "000001", version: str = "0.261122.1116", **more: Any):
        """Add an asset; ``digest``, ``size`` and ``metadata`` say something else than is true."""
        asset = Asset(path, content, **more)
        if asset.size < 0:
            asset.size = _size(content)
        if "digest" not in more:
            asset.digest = _digests(content)
        held = self.dandisets.setdefault(dandiset, Dandiset())
        held.versions.setdefault(version, Version()).assets[asset.asset_id] = asset
        return asset

    @staticmethod
    def digests(content: Content) -> dict[str, str]:
        """What the archive states of a content."""
        return _digests(content)

    def asset(self, asset_id: str) -> tuple[Dandiset, Asset] | None:
        for dandiset in self.dandisets.values():
            for version in dandiset.versions.values():
                if asset_id in version.assets:
                    return dandiset, version.assets[asset_id]
        return None

    def take_out(self, asset_id: str) -> None:
        """Remove an asset from its dandiset: the archive keeps it, and goes on showing what was open."""
        dandiset, _ = self.asset(asset_id)
        for version in dandiset.versions.values():
            version.assets.pop(asset_id, None)
        if dandiset.embargoed:
            self.taken_out.add(asset_id)

    def metadata(self, asset: Asset) -> dict[str, Any]:
        return {
            "schemaVersion": "0.7.0",
            "schemaKey": "Asset",
            "encodingFormat": "application/x-nwb",
            "dateModified": TIME,
            "blobDateModified": TIME,
            "access": [{"schemaKey": "AccessRequirements", "status": "dandi:OpenAccess"}],
            **asset.metadata,
            "id": f"dandiasset:{asset.asset_id}",
            "identifier": asset.asset_id,
            "path": asset.path,
            "contentSize": asset.size,
            "digest": asset.digest,
            "contentUrl": [f"{self.api}/assets/{asset.asset_id}/download/", f"{self.store}/{asset.blob_id}"],
        }

    def version_row(self, identifier: str, name: str, with_dandiset: bool = False) -> dict[str, Any]:
        version = self.dandisets[identifier].versions[name]
        row = {
            "version": name,
            "name": version.metadata.get("name", "a dandiset of a test"),
            "asset_count": len(version.assets),
            "active_uploads": 0,
            "size": sum(asset.size for asset in version.assets.values()),
            "status": "Published" if name == "draft" else "Valid",
            "created": TIME,
            "modified": TIME,
        }
        more = {"dandiset": self.dandiset_row(identifier, short=True)} if with_dandiset else {}
        return row | {"release_notes": ""} | more

    def dandiset_row(self, identifier: str, short: bool = False) -> dict[str, Any]:
        dandiset = self.dandisets[identifier]
        row = {
            "identifier": identifier,
            "created": TIME,
            "modified": TIME,
            "contact_person": "User, Test",
            "embargo_status": "UNEMBARGOING" if dandiset.opening else "EMBARGOED" if dandiset.embargoed else "OPEN",
            "star_count": 0,
            "is_starred": False,
        }
        if short:
            return row
        newest = dandiset.newest
        return row | {
            "most_recent_published_version": self.version_row(identifier, newest) if newest else None,
            "draft_version": self.version_row(identifier, "draft"),
        }

    def version_metadata(self, identifier: str, name: str) -> dict[str, Any]:
        version = self.dandisets[identifier].versions[name]
        return {
            "id": f"DEV-DANDI:{identifier}/{name}",
            "name": "a dandiset of a test",
            "schemaKey": "Dandiset",
            "schemaVersion": "0.7.0",
            "version": name,
            "identifier": f"DEV-DANDI:{identifier}",
            "license": ["spdx:CC-BY-4.0"],
            "citation": f"User, Test (2026) a dandiset of a test (Version {name}) [Data set].",
            "url": f"{self.api.removesuffix('/api')}/dandiset/{identifier}/{name}",
            "contributor": [
                {"name": "User, Test", "email": "test@example.com", "roleName": ["dcite:ContactPerson", "dcite:Author"],
                 "schemaKey": "Person", "includeInCitation": True}
            ],
            **version.metadata,
        }  # fmt: skip

    def info(self) -> dict[str, Any]:
        return {
            "schema_version": "0.7.0",
            "schema_url": "",
            "allowed_schema_versions": ["0.6.10", "0.7.0"],
            "version": "0.24.99",
            "instance_config": {"instance_name": "DEV-DANDI"},
            "services": {"api": {"url": self.api}, "webui": {"url": self.api.removesuffix("/api")}},
            "cli-minimal-version": "0.74.0",
            "cli-bad-versions": [],
        }


def select(version: Version, path: str | None, glob: str | None) -> list[Asset]:
    """The assets of a listing, in the order of their creation."""
    pattern = re.compile(".*".join(re.escape(part) for part in (glob or "*").split("*")), re.DOTALL)
    return [a for a in version.assets.values() if a.path.startswith(path or "") and pattern.fullmatch(a.path)]


def _size(content: Content) -> int:
    if isinstance(content, bytes):
        return len(content)
    if content.is_dir():
        return sum(p.stat().st_size for p in content.rglob("*") if p.is_file())
    return content.stat().st_size


def _digests(content: Content) -> dict[str, str]:
    if isinstance(content, Path) and content.is_dir():
        return {"dandi:dandi-zarr-checksum": get_zarr_checksum(content)}
    if isinstance(content, Path):
        return {"dandi:dandi-etag": get_digest(content, "dandi-etag"), "dandi:sha2-256": get_digest(content, "sha256")}
    tag = hashlib.md5(hashlib.md5(content).digest()).hexdigest()  # one part: tests' files are below 64 MiB
    return {"dandi:dandi-etag": f"{tag}-1", "dandi:sha2-256": hashlib.sha256(content).hexdigest()}
