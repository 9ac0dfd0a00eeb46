"""The entries of a shared cache: their manifests, and the files that these name by digest.

- ``xcebra-nwb-results-1/files/<two digits>/<digest>``: files, under the digests of their contents
- ``xcebra-nwb-results-1/<command>/<two digits>/<key>/<machine>.json``: manifests

A manifest is written after its files, and each of them is whole or not there. So a killed process leaves no entry that
could be seen, two that write the same do not disturb each other, and no lock is needed. No file of a cache is executed
or unpickled, and its name is never taken from what somebody wrote.
"""

from __future__ import annotations

import getpass
import hashlib
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from xcebra_nwb import __version__
from xcebra_nwb.core.files import atomic, check_disk_space, json_text
from xcebra_nwb.core.outputs import FILES
from xcebra_nwb.core.provenance import digest
from xcebra_nwb.core.safe_text import printable, shorten
from xcebra_nwb.core.shared_cache.key import Key
from xcebra_nwb.core.shared_cache.stores import Store

ROOT, PROBE = "xcebra-nwb-results-1", "README"
LARGEST_MANIFEST = 1_000_000  # bytes
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
ShortText = Annotated[str, Field(max_length=300)]


class StoredFile(BaseModel):
    """A file of an entry."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sha256: Digest
    size: int = Field(ge=0)


class Made(BaseModel):
    """Who made a result, when, and with which version."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: ShortText
    at: ShortText
    version: ShortText


class Manifest(BaseModel):
    """An entry of a shared cache."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    key: Digest
    machine: Digest
    session: ShortText
    command: ShortText
    made: Made
    files: dict[str, StoredFile] = Field(max_length=10)
    about: dict[str, Any]
    on: dict[str, str] = Field(description="the machine")


class Taken(BaseModel):
    """Where a result was taken from, as the receipt has it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cache: str = Field(description="address of the shared cache, without secrets")
    key: Digest
    machine: Digest
    made: Made

    def __str__(self) -> str:
        """Return the origin in words."""
        made = self.made
        words = f"taken from {self.cache} (made by {made.by}, {made.at}, version {made.version})"
        return shorten(printable(words), 600)


class Unusable(Exception):
    """An entry that is damaged, or somebody else's; the message says why."""


def manifest_of(store: Store, key: Key) -> Manifest | None:
    """Return the manifest of a result; None without one.

    Raises:
        Unusable: It is damaged, or that of something else.
        Failure: The store cannot be used.
    """
    try:
        content = _read(store, _manifest_name(key))
    except FileNotFoundError:
        return None
    try:
        manifest = Manifest.model_validate_json(content)
    except ValidationError as error:
        raise Unusable(f"its manifest has {error.error_count()} wrong fields") from None
    wanted = (key.name, key.machine_name, key.session, key.command)
    if (manifest.key, manifest.machine, manifest.session, manifest.command) != wanted:
        raise Unusable("its manifest is that of another result")
    if digest(manifest.about) != key.name or digest(manifest.on) != key.machine_name:
        raise Unusable("its manifest was changed")
    if set(manifest.files) != set(names_of(key.command, key.session)):
        raise Unusable("its manifest names other files than the command writes")
    return manifest


def take(store: Store, key: Key, directory: Path) -> tuple[list[Path], Taken] | None:
    """Write the files of an entry into the folder of a session, all or none.

    Size and digest of every file are compared before any of them gets its name.

    Args:
        store: The shared cache.
        key: Key of the result.
        directory: Results folder of the session.

    Returns:
        The files, and where they came from; None without an entry.

    Raises:
        Unusable: The entry is damaged, or that of something else.
        Failure: The store cannot be used.
        OSError: The files cannot be written here.
    """
    manifest = manifest_of(store, key)
    if manifest is None:
        return None
    check_disk_space(directory, sum(file.size for file in manifest.files.values()))
    with ExitStack() as together:
        for name, file in manifest.files.items():
            _fetch(store, file, name, together.enter_context(atomic(directory / name)))
    taken = Taken(cache=store.shown, key=manifest.key, machine=manifest.machine, made=manifest.made)
    return [directory / name for name in names_of(key.command, key.session)], taken


def keep(
    store: Store, key: Key, directory: Path, digests: Mapping[str, str], sizes: Mapping[str, int], again: bool = False
) -> None:
    """Store the files of a result, and then its manifest.

    Args:
        store: The shared cache.
        key: Key of the result.
        directory: Results folder of the session.
        digests: Digest of each file.
        sizes: Size of each file in bytes.
        again: Whether to replace what the store has, which is damaged. Otherwise the first of two equal results stays.

    Raises:
        Failure: The store cannot be used.
    """
    name = _manifest_name(key)
    if not again and store.size(name) is not None:
        return
    files = {name: StoredFile(sha256=digests[name], size=sizes[name]) for name in digests}
    for path, file in ((directory / name, file) for name, file in files.items()):
        if again or store.size(_file_name(file.sha256)) != file.size:
            store.put(path, _file_name(file.sha256))
    now = datetime.now(UTC).isoformat(sep=" ", timespec="seconds")
    manifest = Manifest(
        key=key.name,
        machine=key.machine_name,
        session=key.session,
        command=key.command,
        made=Made(by=f"{_user()}@{socket.gethostname()}"[:300], at=now, version=__version__),
        files=files,
        about=dict(key.about),
        on=dict(key.machine),
    )
    store.put_bytes(json_text(manifest.model_dump(mode="json")).encode(), name)


def check_readable(store: Store) -> None:
    """Check that a store answers.

    Raises:
        Failure: It does not.
    """
    store.size(f"{ROOT}/{PROBE}")


def check_writable(store: Store) -> None:
    """Check that results can be added to a store, by a file that says what the store is.

    Raises:
        Failure: They cannot.
    """
    store.put_bytes(b"Results of xcebra-nwb, shared by digest: see docs/how-to/cache.md.\n", f"{ROOT}/{PROBE}")


def _fetch(store: Store, file: StoredFile, name: str, target: Path) -> None:
    """Copy a file of a store; check its size and its digest."""
    seen, size = hashlib.sha256(), 0
    try:
        with target.open("wb") as written:
            for chunk in store.chunks(_file_name(file.sha256)):
                size += len(chunk)
                if size > file.size:
                    break
                seen.update(chunk)
                written.write(chunk)
    except FileNotFoundError:
        raise Unusable(f"{name} is not there") from None
    if size != file.size or seen.hexdigest() != file.sha256:
        raise Unusable(f"{name} is damaged")


def _read(store: Store, name: str) -> bytes:
    content = b""
    for chunk in store.chunks(name):
        content += chunk
        if len(content) > LARGEST_MANIFEST:
            raise Unusable(f"its manifest has over {LARGEST_MANIFEST:,} bytes")
    return content


def names_of(command: str, session: str) -> list[str]:
    """Return the names of the files that a command writes, in their order.

    >>> names_of("write", "a")
    ['a_desc-xcebra.nwb']
    """
    return [f"{session}_desc-xcebra.nwb" if "*" in shape else shape for shape in FILES[command]]


def _manifest_name(key: Key) -> str:
    return f"{ROOT}/{key.command}/{key.name[:2]}/{key.name}/{key.machine_name}.json"


def _file_name(sha256: str) -> str:
    return f"{ROOT}/files/{sha256[:2]}/{sha256}"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no name for this number
        return "unknown"
