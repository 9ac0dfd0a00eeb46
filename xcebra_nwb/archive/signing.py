"""Sign files in the cache, so that changed ones are recognised.

The key belongs to the user and lies outside the cache.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import stat
from functools import lru_cache
from pathlib import Path

from filelock import FileLock

from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.files import atomic
from xcebra_nwb.core.private import NAME, base, own_folder, user

KEY, SIZE = "cache.key", 32  # bytes of a key and of a signature
REMEDY = "let XDG_STATE_HOME name a folder of your own"
logger = logging.getLogger("xcebra_nwb")


def signature(*parts: str | bytes) -> bytes:
    """Return the signature of several parts.

    Other parts with the same bytes in total have another signature.
    """
    made = hashlib.blake2b(key=_key(str(_folder())), digest_size=SIZE)
    for part in parts:
        content = part.encode("utf-8", "surrogateescape") if isinstance(part, str) else part
        made.update(len(content).to_bytes(8, "big") + content)
    return made.digest()


def is_signed(claimed: bytes, *parts: str | bytes) -> bool:
    """Return whether the first argument is the signature of the parts."""
    return hmac.compare_digest(claimed, signature(*parts))


def _folder() -> Path | str:
    try:
        return base("XDG_STATE_HOME", ".local/state") / NAME
    except UsageError:
        return ""


@lru_cache
def _key(folder: str) -> bytes:
    """Return the user's key, made at the first call.

    Where no key can be kept, it is valid for this process only.
    """
    try:
        return _kept(own_folder(Path(folder), REMEDY) / KEY) if folder else _unkept("this user has no home folder")
    except (UsageError, OSError) as error:
        return _unkept(error.message if isinstance(error, UsageError) else f"{folder}: {error.strerror}")


def _unkept(problem: str) -> bytes:
    logger.warning(
        "%s: the key of the cache cannot be saved, so every file is verified by its digest (%s)", problem, REMEDY
    )
    return os.urandom(SIZE)


def _kept(path: Path) -> bytes:
    with FileLock(path.with_suffix(".lock")):
        held = _read(path)
        if held is None:  # a key that others could use may have signed anything
            held = os.urandom(SIZE)
            with atomic(path) as temporary:
                descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "wb") as stream:
                    stream.write(held)
        return held


def _read(path: Path) -> bytes | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(descriptor)
        foreign = user() is not None and (status.st_uid != user() or status.st_mode & 0o077)
        content = stream.read(SIZE + 1) if stat.S_ISREG(status.st_mode) and not foreign else b""
    return content if len(content) == SIZE else None
