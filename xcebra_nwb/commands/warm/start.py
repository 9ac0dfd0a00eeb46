"""Start the warm process of a workflow, and end it."""

from __future__ import annotations

import atexit
import os
import secrets
import socket
import subprocess
import sys
from pathlib import Path

from xcebra_nwb.commands.cli.hand_over import ADDRESS, THREADS
from xcebra_nwb.commands.warm.server import MOST_WAITING

ONE_THREAD = (THREADS, "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "GOTO_NUM_THREADS")
NO_OTHER_THREAD = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}  # of the memory of pyarrow
OFF = "off"  # of the environment variable


def start() -> None:
    """Start a warm process, to which the commands that this process starts hand themselves over.

    It ends with this process. Only Linux copies processes safely, and ``XCEBRA_NWB_WARM=off`` forbids it.
    """
    if not sys.platform.startswith("linux") or ADDRESS in os.environ:
        return
    address = f"xcebra-nwb-{secrets.token_hex(16)}"  # an abstract one: no file is left, and other users are refused
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(f"\0{address}")
        listener.listen(MOST_WAITING)
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "xcebra_nwb.commands.warm.server", str(listener.fileno())],
            cwd=Path(__file__).parent,  # libraries read settings from the working folder
            env=os.environ | dict.fromkeys(ONE_THREAD, "1") | NO_OTHER_THREAD,
            stdin=subprocess.PIPE,
            pass_fds=[listener.fileno()],
        )
    os.environ[ADDRESS] = address
    atexit.register(_end, process)


def _end(process: subprocess.Popen[bytes]) -> None:
    os.environ.pop(ADDRESS, None)
    process.communicate()
