"""Assets of DANDI archives as inputs of Snakemake: ``dandi://<instance>/<dandiset>@<version>/<path>``."""

from __future__ import annotations

import logging
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_storage_plugins.io import IOCacheStorageInterface, Mtime, get_constant_prefix
from snakemake_interface_storage_plugins.settings import StorageProviderSettingsBase
from snakemake_interface_storage_plugins.storage_object import StorageObjectGlob, StorageObjectRead, retry_decorator
from snakemake_interface_storage_plugins.storage_provider import (
    ExampleQuery,
    Operation,
    QueryType,
    StorageProviderBase,
    StorageQueryValidationResult,
)

from .listing import Asset, Listing, fetch

QUERY = re.compile(r"(?P<place>dandi://(?P<instance>[^/@]+)/(?P<dandiset>\d{6})@(?P<version>[^/@]+))/(?P<path>.+)")
FORM = "dandi://<instance>/<dandiset>@<version>/<path>"


@dataclass
class StorageProviderSettings(StorageProviderSettingsBase):
    """What a user can set."""

    api_url: str | None = field(
        default=None,
        metadata={"help": "Address of the API of an archive that the dandi client does not know by name."},
    )


class StorageProvider(StorageProviderBase):
    """Lists every version once, for all queries."""

    def __post_init__(self) -> None:
        """Begin without a listing; keep the client from writing signed addresses and asking home for versions."""
        os.environ["DANDI_NO_ET"] = "1"
        logging.getLogger("dandi").setLevel(logging.CRITICAL)
        self._listings: dict[str, Listing] = {}

    @classmethod
    def example_queries(cls) -> list[ExampleQuery]:
        """Return an example."""
        example = "dandi://dandi/000207@0.220216.0323/sub-4/sub-4_ses-4_ecephys+image.nwb"
        return [ExampleQuery(query=example, description="a file of a published version", type=QueryType.INPUT)]

    def rate_limiter_key(self, query: str, operation: Operation) -> Any:
        """Return the archive's name."""
        return query.split("/")[2]

    def default_max_requests_per_second(self) -> float:
        """Return what an archive bears easily."""
        return 10.0

    def use_rate_limiter(self) -> bool:
        """A version is listed once: there is nothing to limit."""
        return False

    @classmethod
    def is_valid_query(cls, query: str) -> StorageQueryValidationResult:
        """Return whether a query, which may have wildcards, has the right form."""
        valid = QUERY.fullmatch(query) is not None
        return StorageQueryValidationResult(query=query, valid=valid, reason=None if valid else f"not {FORM}")

    def listing(self, query: str) -> Listing:
        """Return what the version that a query names holds."""
        parts = QUERY.fullmatch(query)
        if parts is None:
            raise WorkflowError(f"{query}: not {FORM}")
        if parts["place"] not in self._listings:
            archive = getattr(self.settings, "api_url", None) or parts["instance"]
            self._listings[parts["place"]] = Listing.of(archive, parts["dandiset"], parts["version"])
        return self._listings[parts["place"]]


class StorageObject(StorageObjectRead, StorageObjectGlob):
    """One asset."""

    def __post_init__(self) -> None:
        """Take the query apart."""
        parts = QUERY.fullmatch(self.query)
        if parts is None:
            raise WorkflowError(f"{self.query}: not {FORM}")
        self._place, self._path = parts["place"], parts["path"]

    def _asset(self) -> Asset | None:
        return self.provider.listing(self.query).assets.get(self._path)

    def _known(self) -> Asset:
        asset = self._asset()
        if asset is None:
            raise WorkflowError(f"{self.print_query}: no such asset")
        return asset

    def local_suffix(self) -> str:
        """Return where the file goes: a path that cannot lead out of its folder."""
        return self._suffix(self._path)

    def _suffix(self, path: str) -> str:
        parts = [quote(part, safe="+@{} ").replace("..", "%2E%2E") or "%" for part in path.split("/")]
        return "/".join([*self._place.removeprefix("dandi://").split("/"), *parts])

    def get_inventory_parent(self) -> str | None:
        """Return the key of the version, of which one listing says all."""
        return self.cache_key(self._place.removeprefix("dandi://"))

    async def inventory(self, cache: IOCacheStorageInterface) -> None:
        """Put all assets of the version into Snakemake's cache."""
        if self.get_inventory_parent() in cache.exists_in_storage:
            return
        cache.exists_in_storage[self.get_inventory_parent()] = True
        for path, asset in self.provider.listing(self.query).assets.items():
            key = self.cache_key(self._suffix(path))
            cache.exists_in_storage[key] = True
            cache.mtime[key] = Mtime(storage=asset.modified)
            cache.size[key] = asset.size
            cache.checksum[key] = asset.checksum

    def cleanup(self) -> None:
        """Nothing is left behind."""

    @retry_decorator
    def exists(self) -> bool:
        """Return whether the version holds the asset."""
        return self._asset() is not None

    def mtime(self) -> float:
        """Return when the asset was changed last, in s since 1970."""
        return self._known().modified

    def size(self) -> int:
        """Return the number of bytes."""
        return self._known().size

    def checksum(self) -> str | None:
        """Return the SHA-256, once the archive has computed it."""
        return self._known().checksum

    def retrieve_object(self) -> None:
        """Download the asset, verified, to where Snakemake expects it."""
        asset, target = self._known(), Path(self.local_path())
        fetched = fetch(self.provider.listing(self.query), asset, target.with_name(f"{target.name}.incoming"))
        if target.is_dir():
            shutil.rmtree(target)
        fetched.replace(target)
        shutil.rmtree(target.with_name(f"{target.name}.incoming"), ignore_errors=True)

    def list_candidate_matches(self) -> Iterable[str]:
        """Return the assets that begin like the query."""
        prefix = get_constant_prefix(self._path)
        paths = self.provider.listing(self.query).assets
        return [f"{self._place}/{path}" for path in paths if path.startswith(prefix)]
