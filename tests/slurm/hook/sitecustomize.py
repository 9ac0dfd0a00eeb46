"""Mishaps in the jobs of a test: Python imports this module at its start, since its folder is in PYTHONPATH.

``MISHAPS`` names a folder. A file ``COMMAND.SESSION`` in it holds the mishap of that command on that session:

- ``stop``: it stands still, once it has written a checkpoint;
- ``memory``: it takes much memory then;
- ``fail``: it ends with an error at once.

Each happens once: the file is renamed.
"""

import os
import signal
import sys
import threading
import time
from pathlib import Path

MEGABYTES = 3000


def _mishap() -> tuple[str, Path] | None:
    folder = os.environ.get("MISHAPS")
    if folder is None or len(sys.argv) < 2:
        return None
    for file in Path(folder).glob(f"{sys.argv[1]}.*"):
        session = file.name.partition(".")[2]
        if sys.argv[-1] == session:
            kind = file.read_text().strip()
            file.rename(file.with_name(f"done.{file.name}"))
            return kind, Path(session)
    return None


def _at_a_checkpoint(session: Path, act: str) -> None:
    name = "xcebra_nwb.training.checkpoint"
    while not hasattr(sys.modules.get(name), "SECONDS"):
        time.sleep(0.05)
    sys.modules[name].SECONDS = 0.2
    while not (session / "checkpoint.safetensors").exists():
        time.sleep(0.05)
    if act == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    else:
        taken = bytearray(MEGABYTES * 2**20)
        taken[:: 2**12] = b"1" * len(taken[:: 2**12])
        time.sleep(600)


def _begin() -> None:
    found = _mishap() if Path(sys.argv[0]).name == "xcebra-nwb" else None
    if found is None:
        return
    kind, session = found
    if kind == "fail":
        sys.stderr.write("xcebra-nwb: failed: a mishap of the test\n")
        sys.stderr.flush()
        os._exit(1)
    threading.Thread(target=_at_a_checkpoint, args=(session, kind), daemon=True).start()


_begin()
