"""Check where a result says that it comes from.

The result may come from a stranger, so its lineage is checked before it is used.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import ValidationError

from xcebra_nwb.archive.pinned import LINEAGE
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.extras import need
from xcebra_nwb.core.session_table import Session

LOCAL = "a local file"  # source of a row if the result names no address of its recording
OWN_MACHINE = {"localhost", "127.0.0.1", "::1"}


def row_of(lineage: Mapping[str, str], where: Path) -> Session:
    """Return the row of a table of sessions that the lineage of a result describes.

    Args:
        lineage: The lineage by key.
        where: The file of the result, for errors.

    Raises:
        UsageError: The lineage names no session, or an invalid name, identifier or digest.
    """
    named = {name: lineage.get(name, "") for name in LINEAGE if name != "source"}
    address = lineage.get("address") or LOCAL
    try:
        return Session(session=lineage.get("session", ""), include=True, source=address, **named)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        column, value = ".".join(map(str, problem["loc"])), str(problem["input"])[:80]
        fault = f"its lineage says {column} {value!r}" if column else "its lineage names no source that is read"
        remedy = "these are not results that xcebra-nwb wrote"
        raise UsageError(f"{where}: {fault}: {problem['msg'].removeprefix('Value error, ')}", remedy) from None


def check_archive(address: str, allowed: str | None, where: Path) -> None:
    """Check that an address in a result lies in a trusted archive.

    No request is sent before this check, so that a result cannot make requests to any host.

    Args:
        address: The address in the result.
        allowed: Address of an archive that the user trusts, beside the public ones.
        where: The file of the result, for errors.

    Raises:
        UsageError: The address lies elsewhere; the message names its archive.
    """
    need("dandi", f"{where}, whose source is in an archive,")
    from dandi.consts import known_instances

    parts = urlsplit(address)
    if parts.scheme == "dandi":
        known = parts.netloc in known_instances and not _on_this_machine(known_instances[parts.netloc].api)
    else:
        public = {_origin(url) for instance in known_instances.values() for url in (instance.api, instance.gui) if url}
        known = _origin(address) in {url for url in public if not _on_this_machine(url)}
    if known or (allowed is not None and _origin(allowed) == _origin(address)):
        return
    shown = _origin(address)[:200]
    raise UsageError(f"{where}: its source is in {shown}, no public archive", f"trust it with --archive {shown}")


def _origin(address: str) -> str:
    """Return scheme and host of an address, or the address itself if it has none."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}".lower() if parts.netloc else address


def _on_this_machine(address: str) -> bool:
    return urlsplit(address).hostname in OWN_MACHINE
