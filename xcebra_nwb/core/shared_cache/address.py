"""Open the shared cache that a user names: a folder, s3:// or gs://.

pyarrow, which is there for tables, reads and writes both kinds of object store, and fsspec gives it the interface that
all of them share. Keys come from where the tools of each store look for them, never from the address.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

from xcebra_nwb.core.errors import Failure, UsageError
from xcebra_nwb.core.safe_text import is_printable, redact, without_secrets
from xcebra_nwb.core.shared_cache.stores import FolderStore, ObjectStore, Store

VARIABLE = "XCEBRA_NWB_SHARED_CACHE"  # environment variable: a folder, s3:// or gs://
FORMS = "a folder, s3://bucket/folder or gs://bucket/folder"
KEYS = "let the environment or the settings of your cloud's own tools have the key"
SECONDS = 20  # without an answer


@cache
def opened(address: str) -> Store:
    """Return the store of an address. The network is not used yet.

    Raises:
        UsageError: The address is of no kind that is read, holds a secret, or names a folder that everybody can write.
    """
    if not address.strip() or not is_printable(address):
        raise UsageError(f"{address!r} is no shared cache", FORMS)
    if "://" not in address:
        return _folder(Path(address))
    parts = _parts(address)
    if parts.scheme == "file":
        return _folder(Path(parts.path))
    options = dict(parse_qsl(parts.query))
    known = STORES.get(parts.scheme)
    if known is None:
        raise UsageError(f"{redact(address)}: {parts.scheme}:// is no shared cache", FORMS)
    if unknown := sorted(options.keys() - known[1]):
        allowed = ", ".join(sorted(known[1]))
        raise UsageError(f"{redact(address)}: an unknown option after `?`: {unknown[0][:40]}", f"known: {allowed}")
    return ObjectStore(_system(known[0], parts, options), f"{parts.netloc}{parts.path}", redact(address))


def absolute(address: str) -> str:
    """Return an address that means the same in every folder.

    >>> absolute("s3://bucket/results")
    's3://bucket/results'
    """
    return address if "://" in address else str(Path(address).expanduser().absolute())


def named() -> Store | None:
    """Return the store that the environment names; None without one.

    Raises:
        UsageError: The address cannot be used.
    """
    address = os.environ.get(VARIABLE, "")
    if not address:
        return None
    if "://" not in address and not Path(address).expanduser().is_absolute():
        raise UsageError(f"{VARIABLE}: {address} is relative, and jobs run in other folders", "give the whole path")
    return opened(absolute(address))


def _folder(path: Path) -> Store:
    if not path.is_absolute():
        raise UsageError(f"{path}: a relative path is no shared cache", "give the whole path")
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return FolderStore(path)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", FORMS) from None
    if not stat.S_ISDIR(mode):
        raise UsageError(f"{path}: not a folder", FORMS)
    if mode & stat.S_IWOTH:
        raise UsageError(f"{path}: everybody may write to this shared cache", f"chmod -R o-w {path}")
    return FolderStore(path)


def _parts(address: str) -> SplitResult:
    try:
        parts = urlsplit(address)
        secret = parts.username is not None or parts.password is not None
    except ValueError:
        raise UsageError(f"{redact(address)}: no address", FORMS) from None
    if secret:
        raise UsageError(f"{redact(address)}: an address with a user or a password", KEYS)
    if parts.fragment or not (parts.netloc or parts.scheme == "file") or ".." in parts.path.split("/"):
        raise UsageError(f"{redact(address)}: no address of a bucket", FORMS)
    return parts


def _system(make: Callable[[dict[str, str]], Any], parts: SplitResult, options: dict[str, str]) -> Any:
    from fsspec.implementations.arrow import ArrowFSWrapper

    try:
        return ArrowFSWrapper(make(options), skip_instance_cache=True)
    except (OSError, ValueError) as error:
        raise Failure(f"{parts.scheme}://{parts.netloc}: {without_secrets(str(error))}", KEYS) from None


def _s3(options: dict[str, str]) -> Any:
    from pyarrow import fs

    places = {name: options[name] for name in ("region", "endpoint_override", "scheme") if name in options}
    retries = fs.AwsStandardS3RetryStrategy(max_attempts=3)
    anonymous = options.get("anonymous") == "true"
    return fs.S3FileSystem(
        anonymous=anonymous, connect_timeout=SECONDS, request_timeout=SECONDS, retry_strategy=retries, **places
    )


def _gs(options: dict[str, str]) -> Any:
    from pyarrow import fs

    places = {name: options[name] for name in ("endpoint_override", "scheme") if name in options}
    anonymous = options.get("anonymous") == "true"
    return fs.GcsFileSystem(anonymous=anonymous, retry_time_limit=timedelta(seconds=SECONDS), **places)


STORES: dict[str, tuple[Callable[[dict[str, str]], Any], set[str]]] = {
    "s3": (_s3, {"anonymous", "endpoint_override", "region", "scheme"}),
    "gs": (_gs, {"anonymous", "endpoint_override", "scheme"}),
}
