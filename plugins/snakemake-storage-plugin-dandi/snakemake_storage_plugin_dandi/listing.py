"""A version of a dandiset, listed once, and the download of one of its assets."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from dandi.consts import DandiInstance, known_instances
from dandi.dandiapi import DandiAPIClient
from dandi.dandiarchive import BaseAssetIDURL
from dandi.download import Downloader, DownloadExisting
from snakemake_interface_common.exceptions import WorkflowError

PAGE = 1000  # assets, the most that an archive gives at once


class Client(DandiAPIClient):
    """The dandi client, of which a server gets no other archive's key, and chooses no file on this machine."""

    def paginate(self, *given: Any, **named: Any) -> Iterator[dict[str, Any]]:
        """Yield the rows of a listing; those of a Zarr name files, which lie in it."""
        for row in super().paginate(*given, **named):
            if "Key" in row and {"", ".", ".."} & set(str(row["Key"]).split("/")):
                raise WorkflowError(f"{row['Key']!r} leads out of a Zarr")
            yield row

    def dandi_authenticate(self) -> None:
        """Use the key that the environment has for this archive; nobody is asked for one.

        An archive that the client does not know is called by the host that its server says, which may be `dandi`.
        """
        name = self.dandi_instance.name
        known = known_instances.get(name)
        own = (
            urlsplit(known.api)[:2] == urlsplit(self.api_url)[:2] if known else not self.api_key_env_var.isidentifier()
        )
        if own and (key := os.environ.get(self.api_key_env_var)):
            self.authenticate(key)


class OneAsset(BaseAssetIDURL):
    """An asset that is downloaded by :class:`Client`."""

    def get_client(self) -> Client:
        """Return the client to ask."""
        return Client(dandi_instance=self.instance)


@dataclass(frozen=True)
class Asset:
    """An asset as it is listed; ``modified`` in s since 1970, ``checksum`` as ``sha256:...``."""

    identifier: str
    path: str
    size: int
    modified: float
    checksum: str | None


@dataclass(frozen=True)
class Listing:
    """The assets of a version by their paths, and the archive that has them."""

    instance: DandiInstance
    assets: dict[str, Asset]

    @classmethod
    def of(cls, archive: str, dandiset: str, version: str) -> Listing:
        """Return the listing of a version in the archive of that name or address."""
        where = f"dandi://{archive}/{dandiset}@{version}"
        try:
            with Client.for_dandi_instance(archive) as client:
                client.dandi_authenticate()
                pages = client.paginate(
                    f"/dandisets/{dandiset}/versions/{version}/assets/",
                    page_size=PAGE,
                    params={"metadata": "true", "order": "created"},
                )
                assets = [_asset(row) for row in pages]
                return cls(client.dandi_instance, {one.path: one for one in assets})
        except requests.HTTPError as error:
            raise WorkflowError(f"{where}: {_said(error, client)}") from None
        except (requests.RequestException, KeyError, RuntimeError) as error:
            raise WorkflowError(f"{where}: the archive cannot be reached: {type(error).__name__}") from None


def _said(error: requests.HTTPError, client: DandiAPIClient) -> str:
    status = error.response.status_code if error.response is not None else 0
    if status == 403 and "Authorization" in client.session.headers:
        return "the key is accepted, but its user may not see this"
    if status in (401, 403):
        variable = client.api_key_env_var
        how = "" if variable.isidentifier() else f" (no shell sets that name: `env '{variable}=...' snakemake ...`)"
        return f"a key is needed, or another one: set {variable}{how}"
    return "there is none" if status == 404 else f"the archive answers {status}"


def _asset(row: dict[str, Any]) -> Asset:
    digest = ((row.get("metadata") or {}).get("digest") or {}).get("dandi:sha2-256")
    modified = datetime.fromisoformat(row["modified"].replace("Z", "+00:00")).timestamp()
    return Asset(row["asset_id"], row["path"], row["size"], modified, f"sha256:{digest}" if digest else None)


def fetch(listing: Listing, asset: Asset, folder: Path) -> Path:
    """Return an asset, downloaded into ``folder``: the client resumes, retries and verifies its own digest.

    Raises:
        WorkflowError: the download fails, or size or SHA-256 are not the listed ones.
    """
    folder.mkdir(parents=True, exist_ok=True)
    downloader = Downloader(
        url=OneAsset(instance=listing.instance, asset_id=asset.identifier),
        output_dir=folder,
        existing=DownloadExisting.OVERWRITE,
        get_metadata=False,
        get_assets=True,
        preserve_tree=False,
        jobs_per_zarr=None,
        on_error="raise",
    )
    for report in downloader.download_generator():
        if report.get("status") == "error":
            raise WorkflowError(f"{asset.path}: {str(report['message']).split('?')[0]}")
    (fetched,) = (path for path in folder.iterdir() if not path.name.endswith(".dandidownload"))
    if fetched.is_file():
        _verify(fetched, asset)
    return fetched


def _verify(path: Path, asset: Asset) -> None:
    with path.open("rb") as stream:
        found = f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"
    if path.stat().st_size != asset.size or asset.checksum not in {None, found}:
        path.unlink()
        raise WorkflowError(f"{asset.path}: not the bytes that the archive lists")
