"""The places of the results of a session in the shared cache that the environment names.

``fetch`` keeps files of archives in a cache of its own, and ``report`` is quick and says where results came from, so
neither is in it. Nor is what several sessions were trained for jointly, a recording in several files or at an address
without a digest, and a recording that is not open to all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from xcebra_nwb.archive import pinned
from xcebra_nwb.archive.access import OPEN
from xcebra_nwb.archive.pinned import Given
from xcebra_nwb.core.config.schema import EXTRACTION, Config
from xcebra_nwb.core.errors import XcebraError
from xcebra_nwb.core.files import sha256
from xcebra_nwb.core.netcdf import attributes
from xcebra_nwb.core.provenance import digest, fingerprint
from xcebra_nwb.core.shared_cache import address
from xcebra_nwb.core.shared_cache.key import INPUTS, OF_THE_SOURCE, Key, inputs, key_of, this_machine
from xcebra_nwb.core.shared_cache.result import SharedResult
from xcebra_nwb.nwb.export.read_back import MAKERS
from xcebra_nwb.nwb.neural.readers.registry import PLUG_INS
from xcebra_nwb.nwb.reading.foreign import Follow
from xcebra_nwb.nwb.reading.foreign import followed as files_followed

COMMANDS = tuple(INPUTS)
ON_DEVICE = ("train", "attribute")  # commands that compute on the device of the config
# Sections of the config on which the results depend, and which their files hold.
SECTIONS: dict[str, Any] = {
    "extract": EXTRACTION,
    "train": {"encoder", "objectives", "training", "random_seed"},
    "attribute": {"attribution", "encoder", "training", "random_seed"},
}
JOINT = ("trained_with", "aligned_to")  # attributes of training.nc


def shared_result(
    command: str,
    directory: Path,
    config: Config | None = None,
    source: Given | None = None,
    follow: Follow = Follow.FOLDER,
) -> SharedResult | None:
    """Return the place of the result of a command on one session; None if no cache can have it.

    Args:
        command: Name of the command.
        directory: The session's results folder.
        config: The config, if the command reads it.
        source: The recording, if the command reads it.
        follow: Rule for links of a local file to other files.

    Raises:
        UsageError: The environment names a cache that cannot be used.
    """
    store = address.named()
    if store is None or not is_shareable(command, config) or _is_closed(directory, command):
        return None
    origin = None if source is None else source_of(source, follow)
    files = _digests(command, directory)
    if files is None or (origin is None and command in OF_THE_SOURCE):
        return None
    session, unchanged = directory.resolve().name, _state_of(source)
    key = make_key(command, session, config, files, origin)
    return SharedResult(store, key, lambda: _state_of(source) == unchanged)


def shared_trainings(directories: Sequence[Path], config: Config) -> dict[Path, SharedResult]:
    """Return the places of trainings in one process, none if one of them cannot be in a cache.

    Args:
        directories: Results folders of the sessions.
        config: The config.

    Raises:
        UsageError: The environment names a cache that cannot be used.
    """
    store = address.named()
    if store is None or not is_shareable("train", config):
        return {}
    found = {directory: _digests("train", directory) for directory in directories}
    if any(files is None or _is_closed(directory, "train") for directory, files in found.items()):
        return {}
    files = {directory: digests for directory, digests in found.items() if digests is not None}
    keys = training_keys({directory.resolve().name: digests for directory, digests in files.items()}, config)
    return {directory: SharedResult(store, keys[directory.resolve().name]) for directory in files}


def training_keys(files: Mapping[str, Mapping[str, str]], config: Config) -> dict[str, Key]:
    """Return the keys of trainings in one process, by session; the others change the last bits of each.

    Args:
        files: Digests of the inputs by session.
        config: The config.
    """
    together = digest(sorted(digests["session.nc"] for digests in files.values())) if len(files) > 1 else ""
    return {name: make_key("train", name, config, digests, None, together) for name, digests in files.items()}


def make_key(
    command: str,
    session: str,
    config: Config | None,
    files: Mapping[str, str],
    source: Mapping[str, str] | None,
    together: str = "",
) -> Key:
    """Return the key of the result of a command.

    Args:
        command: Name of the command.
        session: Name of the session.
        config: The config, if the command reads it.
        files: Digests of the files that it reads.
        source: Digests and names of the recording, if it reads it.
        together: Digest of the sessions that train in the same process; "" if it trains alone.
    """
    settings: dict[str, Any] = {}
    if command in SECTIONS:
        assert config is not None
        settings = config.model_dump(mode="json", include=SECTIONS[command])
    if command == "write":
        settings = {"code": {maker: fingerprint(maker) for maker in MAKERS}}  # the file names them
    machine = this_machine() | ({"trained with": together} if together else {})
    if command in ON_DEVICE:
        from xcebra_nwb.training.device import described, find_device

        assert config is not None
        device = find_device(config.training.device)
        settings |= {"device": device.type}
        machine |= described(device)
    return key_of(command, session, settings, files, source, machine)


def is_shareable(command: str, config: Config | None) -> bool:
    """Return whether a key can have everything on which the results of a command depend.

    The code of readers that other packages bring, and the compiler of ``training.compile``, are in none.

    Args:
        command: Name of the command.
        config: The config, if the command reads it.
    """
    if command == "extract":
        return not entry_points(group=PLUG_INS)
    return not (command == "train" and config is not None and config.training.compile)


def source_of(source: Given, follow: Follow) -> dict[str, str] | None:
    """Return the digests and names of a recording that its results depend on; None if they cannot be shared.

    Args:
        source: The recording.
        follow: Rule for links of a local file to other files.
    """
    try:
        asset = pinned.load(source)
        if asset is not None:
            row = asset.session
            return asset.lineage if row.source_access in ("", OPEN) and (row.etag or row.sha256) else None
        if pinned.is_address(source):
            return None
        path = Path(str(source))
        if files_followed(path, pinned.followed(path, follow)):
            return None
        return {"name": path.name, "sha256": sha256(path)}
    except (XcebraError, OSError):
        return None  # the command says what is wrong


def _is_closed(directory: Path, command: str) -> bool:
    """Return whether a session's results stay out of a cache: its source is not open, or it was trained with others."""
    if command == "extract":
        return False  # by its source
    try:
        session = attributes(directory / "session.nc", ("source_access",))
        training = {} if command == "train" else attributes(directory / "training.nc", JOINT)
    except (XcebraError, OSError):
        return True  # the command says what is wrong
    return session["source_access"] not in ("", OPEN) or any(value not in ("", "{}") for value in training.values())


def _digests(command: str, directory: Path) -> dict[str, str] | None:
    """Return the digests of the files that a command reads; None if one is missing, as the command says."""
    try:
        return {name: sha256(directory / name) for name in inputs(command, directory.resolve().name)}
    except OSError:
        return None


def _state_of(source: Given | None) -> tuple[int, ...]:
    """Return what changes when somebody writes to a local file."""
    if source is None or isinstance(source, pinned.Pinned) or pinned.is_address(source):
        return ()
    try:
        status = Path(source).stat()
    except OSError:
        return ()
    return status.st_size, status.st_mtime_ns, status.st_ino
