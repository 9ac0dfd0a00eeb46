"""The warm process: it imports all commands at the first request, and runs each request in a copy of itself (a fork).

To import torch, xarray and pynwb takes longer than most commands work on a small session. The workflow still starts
``xcebra-nwb COMMAND ...``, which hands its arguments, folder, environment and open files over, waits, and ends as the
copy ended. Files and logs are the same. Without a warm process, or when it is gone, the command runs by itself.

It has a single thread, since a copy of a process has only the thread that copied it. It ends when its standard input
does, which is when the workflow ends, however that happens. Commands at work then come to their end first, as commands
without it would. If it is killed, the system kills them, too.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import logging
import os
import selectors
import signal
import socket
import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NoReturn

from xcebra_nwb.commands.cli.hand_over import ADDRESS, BEGUN, LENGTH, SEPARATOR, STATUS, STREAMS, is_own, received

COMMANDS = ("extract", "train", "attribute", "assess", "write", "check", "report", "fetch", "summarize")
MODULES = (
    *(f"xcebra_nwb.commands.{command}" for command in COMMANDS),
    # Modules that these import when they work:
    *("h5netcdf.legacyapi", "matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg", "matplotlib.style"),
    *("PIL.JpegImagePlugin", "PIL.PngImagePlugin", "pyarrow.pandas_compat", "xarray.computation.nanops"),
    *("xcebra_nwb.archive.given", "xcebra_nwb.commands.cli.app", "xcebra_nwb.training.device"),
)
ENDING = ("SIGINT", "SIGTERM", "SIGHUP")
END_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl
MOST_WAITING = 128


def serve(listener: socket.socket, modules: Sequence[str], command_line: Callable[[], None]) -> None:
    """Run the requests that come to a socket, until standard input and the last command end.

    Args:
        listener: The socket, which listens.
        modules: Names of the modules that are imported at the first request.
        command_line: Runs the command that ``sys.argv`` names, in the copy.
    """
    _Server(listener, modules, command_line).run()


class _Server:
    def __init__(self, listener: socket.socket, modules: Sequence[str], command_line: Callable[[], None]) -> None:
        self._listener, self._open, self._ready = listener, True, False
        self._modules, self._command_line = modules, command_line
        self._commands: dict[int, socket.socket] = {}  # by process
        self._selector = selectors.DefaultSelector()
        self._signals, self._wakeup = os.pipe()
        os.set_blocking(self._wakeup, False)
        signal.set_wakeup_fd(self._wakeup, warn_on_full_buffer=False)
        self._heeded = [
            number for name in ENDING if signal.getsignal(number := getattr(signal, name)) is not signal.SIG_IGN
        ]
        for number in (signal.SIGCHLD, *self._heeded):
            signal.signal(number, lambda number, frame: None)
        for source in (listener, self._signals, STREAMS[0]):
            self._selector.register(source, selectors.EVENT_READ)

    def run(self) -> None:
        while self._open or self._commands:
            for key, _ in self._selector.select():
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fd == self._signals:
                    self._heed(os.read(self._signals, 4096))
                elif key.fd == STREAMS[0]:
                    self._close()
                else:
                    self._given_up(key.data)

    def _heed(self, numbers: bytes) -> None:
        self._end_commands()
        if set(numbers).intersection(self._heeded):
            self._close()

    def _close(self) -> None:
        """Take no more requests; commands then run by themselves."""
        if self._open:
            self._open = False
            self._selector.unregister(self._listener)
            self._selector.unregister(STREAMS[0])
            self._listener.close()

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        request, streams = b"", list[int]()
        with suppress(OSError):
            if is_own(connection):
                head, streams, _, _ = socket.recv_fds(connection, LENGTH.size, len(STREAMS))
                request = received(connection, LENGTH.unpack(head)[0]) if len(head) == LENGTH.size else b""
        if request and len(streams) == len(STREAMS) and self._import():
            self._begin(request, streams, connection)
        else:
            connection.close()
        for stream in streams:
            os.close(stream)

    def _import(self) -> bool:
        """Import the commands; without a package that they need, each command runs by itself and says so."""
        if not self._ready:
            try:
                for module in self._modules:
                    importlib.import_module(module)
            except ImportError:
                traceback.print_exc()
                self._close()
                return False
            gc.collect()
            gc.freeze()  # a copy then shares these objects
            self._ready = True
        if len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208 - no path is needed
            self._close()
            return False
        return True

    def _begin(self, request: bytes, streams: list[int], connection: socket.socket) -> None:
        server = os.getpid()
        try:
            process = os.fork()
        except OSError:  # no memory, or too many processes: the command runs by itself, and says so
            connection.close()
            return
        if process == 0:
            self._become_command(request, streams, connection, server)
        self._commands[process] = connection
        self._selector.register(connection, selectors.EVENT_READ, process)
        with suppress(OSError):  # a client that is gone is seen by its connection
            connection.sendall(BEGUN)

    def _become_command(self, request: bytes, streams: list[int], connection: socket.socket, server: int) -> NoReturn:
        code = 1
        try:
            ctypes.CDLL(None).prctl(END_WITH_PARENT, signal.SIGKILL)
            if os.getppid() != server:
                os._exit(code)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for number in self._heeded:
                signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
            for target, stream in zip(STREAMS, streams, strict=True):
                os.dup2(stream, target)
            connections = [connection, *self._commands.values(), *([self._listener] if self._open else [])]
            self._selector.close()
            for opened in connections:
                opened.close()
            for stream in (*streams, self._signals, self._wakeup):
                os.close(stream)
            code = _run(request, self._command_line)
        except BaseException:
            traceback.print_exc()
        finally:
            with suppress(OSError, ValueError):
                sys.stdout.flush()
            with suppress(OSError, ValueError):
                sys.stderr.flush()
            logging.shutdown()
            os._exit(code)  # what the warm process registered for its own end is not ours

    def _given_up(self, process: int) -> None:
        """Kill the command of a client that was killed."""
        if process in self._commands:
            self._selector.unregister(self._commands[process])
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def _end_commands(self) -> None:
        while self._commands:
            process, status = os.waitpid(-1, os.WNOHANG)
            if process == 0:
                return
            connection = self._commands.pop(process)
            with suppress(KeyError):
                self._selector.unregister(connection)
            with connection, suppress(OSError):
                connection.sendall(STATUS.pack(os.waitstatus_to_exitcode(status)))


def _run(request: bytes, command_line: Callable[[], None]) -> int:
    """Run the command of a request in this process, and return its exit code."""
    folder, count, *words = request.split(SEPARATOR)
    arguments, variables = words[: int(count)], words[int(count) :]
    os.chdir(folder)
    os.environ.clear()
    os.environb.update(variable.partition(b"=")[::2] for variable in variables)
    os.environ.pop(ADDRESS, None)
    tempfile.tempdir = None  # found again, by the environment of this command
    sys.argv = ["xcebra-nwb", *(os.fsdecode(word) for word in arguments)]
    try:
        command_line()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    return 0


def _main() -> None:
    from xcebra_nwb.commands.cli.app import main

    main()


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), MODULES, _main)
