"""Hand a command over to the warm process.

Every command of a workflow starts here, so this module imports nothing that is slow.
"""

from __future__ import annotations

import os
import signal
import socket
import struct

ADDRESS = "XCEBRA_NWB_WARM"  # environment variable: name of the socket of the warm process
THREADS = "OMP_NUM_THREADS"  # Snakemake sets it, and others like it, to the threads of the job
BEGUN = b"+"
STATUS = struct.Struct("!i")  # exit code, or the negative number of the signal that ended the command
LENGTH = struct.Struct("!Q")
PEER = struct.Struct("3i")  # process, user, group
SEPARATOR = b"\0"  # in no argument, path or variable
STREAMS = (0, 1, 2)


def hand_over(arguments: list[str]) -> int | None:
    """Let the warm process run a command, and return its exit code; None if this process must run it.

    A signal that ended the command ends this process, too. A Ctrl-C reaches the command by itself.

    Args:
        arguments: Arguments of the command line.
    """
    address = os.environ.get(ADDRESS)
    if not address or os.environ.get(THREADS) != "1":  # the libraries of the warm process have one thread each
        return None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        earlier = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            begun = _begin(connection, address, arguments)
        except OSError:  # it has ended
            begun = False
        if not begun:
            signal.signal(signal.SIGINT, earlier)
            return None
        return _end(connection)


def _begin(connection: socket.socket, address: str, arguments: list[str]) -> bool:
    connection.connect(f"\0{address}")
    if not is_own(connection):
        return False
    variables = [name + b"=" + value for name, value in os.environb.items()]
    words = [os.fsencode(word) for word in arguments]
    folder = os.getcwdb()  # noqa: PTH109 - pathlib is slower to import
    request = SEPARATOR.join([folder, str(len(words)).encode(), *words, *variables])
    socket.send_fds(connection, [LENGTH.pack(len(request))], STREAMS)
    connection.sendall(request)
    return connection.recv(len(BEGUN)) == BEGUN


def _end(connection: socket.socket) -> int:
    try:
        answer = received(connection, STATUS.size)
    except OSError:
        answer = b""
    code = STATUS.unpack(answer)[0] if answer else -signal.SIGKILL  # it was killed, and the command with it
    if code < 0:
        if -code not in (signal.SIGKILL, signal.SIGSTOP):
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return int(code)


def received(connection: socket.socket, size: int) -> bytes:
    """Return ``size`` bytes of a connection; none if it ends before."""
    parts, left = [], size
    while left:
        part = connection.recv(left)
        if not part:
            return b""
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def is_own(connection: socket.socket) -> bool:
    """Return whether the other end of a connection is a process of this user."""
    _, user, _ = PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER.size))
    return bool(user == os.getuid())
