"""Tell trouble that passes, such as a lock or a missing right, from a file that is damaged.

Data that cannot answer are refused, and a workflow counts that as an answer. Trouble of the machine, the disk or the
network is a failure: the next run tries again.
"""

from __future__ import annotations

import errno
import os
import re

from xcebra_nwb.core.errors import Failure

LOCKED = {errno.EAGAIN, errno.EWOULDBLOCK, errno.EBUSY, errno.ENOLCK, errno.EDEADLK}
RIGHTS = {errno.EACCES, errno.EPERM}
MACHINE = {
    errno.EIO, errno.ESTALE, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT, errno.EINTR,
    errno.ETIMEDOUT, errno.ECONNRESET, errno.ECONNREFUSED, errno.ECONNABORTED, errno.ENETDOWN, errno.ENETUNREACH,
    errno.EHOSTDOWN, errno.EHOSTUNREACH, errno.ENOTCONN, errno.ENXIO, errno.ENODEV,
}  # fmt: skip
NUMBER = re.compile(r"(?:\[Errno |errno = )(\d+)")  # HDF5 and codecs give the number in the text only


def as_failure(error: BaseException, name: str) -> Failure | None:
    """Return the failure for an error that may pass; None for one that tells of damage.

    Args:
        error: Error of the system, or of a library that quotes it.
        name: Name of the file in messages.

    >>> print(as_failure(PermissionError(13, "Permission denied"), "a.nwb"))
    a.nwb: no permission to read it (change its permissions)
    >>> as_failure(OSError("truncated file"), "a.nwb")
    """
    number = _number(error)
    if number in LOCKED or "unable to lock" in str(error):
        return Failure(
            f"{name}: it is open for writing elsewhere, or on a drive without locks: {error}",
            "close it there (also in notebooks); for a drive without locks, set HDF5_USE_FILE_LOCKING=FALSE",
        )
    if number in RIGHTS:
        return Failure(f"{name}: no permission to read it", "change its permissions")
    if number in MACHINE:
        return Failure(f"{name}: cannot be read now: {os.strerror(number)}", "run the same command again")
    return None


def _number(error: BaseException) -> int:
    number = getattr(error, "errno", None)
    quoted = NUMBER.search(str(error))
    return number if isinstance(number, int) and number else int(quoted[1]) if quoted else 0
