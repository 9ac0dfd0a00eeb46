"""Whether an archive of recordings can be reached from this machine, and whether there is a key for it."""

from __future__ import annotations

from collections.abc import Iterator

from xcebra_nwb.archive.connection import connected
from xcebra_nwb.commands.doctor_finding import Finding
from xcebra_nwb.core.errors import UsageError, XcebraError

TIMEOUT = 10  # s
SERVER_ERROR = 500
PART = "archive"


def describe_archive(instance: str) -> Iterator[Finding]:
    """Yield whether the archive answers and, if it does, whether it accepts this user's key.

    Args:
        instance: Name or address of the archive.
    """
    import requests

    address = _address(instance)
    try:
        answer = requests.get(address, timeout=TIMEOUT)
        if answer.status_code >= SERVER_ERROR:
            answer.raise_for_status()
    except requests.RequestException as error:
        text = f"{address} cannot be reached ({type(error).__name__}); files on this machine can be analysed"
        yield Finding(part=PART, state="note", text=text, remedy="check the network, or a proxy in HTTPS_PROXY")
        return
    yield Finding(part=PART, state="ok", text=f"{address} answers in {answer.elapsed.total_seconds():.1f} s")
    yield _key(instance)


def _key(instance: str) -> Finding:
    """Return whether there is a key; only embargoed dandisets and `publish` need one."""
    try:
        with connected(instance, key=True):
            return Finding(part="key", state="ok", text=f"the key of {instance} is accepted")
    except UsageError as error:
        text = f"{error.message}; open dandisets need none"
        return Finding(part="key", state="note", text=text, remedy=error.remedy)
    except XcebraError as error:
        return Finding(part="key", state="note", text=error.message, remedy=error.remedy)


def _address(instance: str) -> str:
    from dandi.consts import known_instances

    known = known_instances.get(instance)
    return f"{known.api.rstrip('/')}/info/" if known else instance
