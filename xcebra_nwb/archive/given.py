"""Recognise a source that a user names: a path, an address or an archive's object."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, quote, urlsplit

from xcebra_nwb.archive import remote
from xcebra_nwb.archive.pinned import Given, Pinned
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.installation import is_installed
from xcebra_nwb.core.safe_text import is_web, redact
from xcebra_nwb.core.session_table import Session

SCHEME = re.compile(r"(?P<name>[a-z][a-z0-9+.-]+):/", re.IGNORECASE)
IDENTIFIER = re.compile(r"[a-z-]+:\d{6}(/[^/]+)?", re.IGNORECASE)
LIKE_IDENTIFIER = re.compile(r"[a-z-]*dandi[a-z-]*:.*|\d{6}(/[\w.]*)?", re.IGNORECASE | re.DOTALL)
DANDI = re.compile(r"dandi://[^/@]+/\d{6}(@[^/@]+)?(/.*)?", re.IGNORECASE)
ALIASES = (
    re.compile(r"(?:https?://(?:dx\.)?doi\.org/|doi:)?10\.48324/dandi\.(?P<dandiset>\d{6}(?:/.+)?)", re.IGNORECASE),
    re.compile(r"https?://identifiers\.org/dandi:(?P<dandiset>\d{6}(?:/.+)?)", re.IGNORECASE),
)
DANDISET = re.compile(r"/dandisets?/\d{6}(?!\d)")
ASSET = re.compile(rf"/assets/{remote.ASSET_ID.pattern}", re.IGNORECASE)
REDIRECTING = re.compile(r"gui\.dandiarchive\.org|.*dandiarchive-org\.netlify\.app")
FORMS = "such as DANDI:000207/0.220216.0323, or dandi://dandi/000207@0.220216.0323/sub-4/"
HERE = "give the path of a file, an https:// address, or what an archive has, " + FORMS


def checked(given: Path | str) -> Path | str:
    """Return a path as a path, and all other sources as text in a normal form.

    Raises:
        UsageError: The source is an address of an unsupported kind, or an incomplete one.

    >>> checked("https://doi.org/10.48324/dandi.000207/0.220216.0323")
    'DANDI:000207/0.220216.0323'
    """
    if isinstance(given, Path) or remote.ASSET_ID.fullmatch(given.lower()):
        return given
    if not given.strip():
        raise UsageError(f"{given!r} names nothing", HERE)
    for alias in ALIASES:
        if known := alias.fullmatch(given):
            return f"DANDI:{known['dandiset']}"
    if is_web(given):
        return _web(given)
    scheme = SCHEME.match(given)
    if scheme and (given[scheme.end() :].startswith("/") or scheme["name"].lower() in {"http", "https", "dandi"}):
        return _other(given, scheme["name"].lower())
    if IDENTIFIER.fullmatch(given) and not Path(given).exists():
        return given
    if LIKE_IDENTIFIER.fullmatch(given) and not Path(given).exists():
        raise UsageError(f"{given}: no identifier of a dandiset", FORMS)
    return Path(given)


def _other(given: str, scheme: str) -> str:
    """Return an address of another kind than the web's, if it is supported."""
    if scheme == "dandi" and DANDI.fullmatch(given):
        return given
    if scheme == "dandi":
        raise UsageError(f"{redact(given)}: names no dandiset of an archive", FORMS)
    if scheme in {"http", "https"}:
        raise UsageError(f"{redact(given)}: an incomplete address", f"{scheme}://, with two slashes")
    if scheme == "file":
        raise UsageError(f"{redact(given)}: an address of a file", "give its path alone")
    raise UsageError(f"{redact(given)}: {scheme}:// is not read", HERE)


def _web(given: str) -> str:
    parts = _parts(given)
    inside = parts.path if not parts.fragment else f"{parts.path}{parts.fragment}"  # .../#/dandiset/...
    if DANDISET.search(inside):
        return _without_page(given)
    if ASSET.search(inside) or REDIRECTING.fullmatch(parts.hostname or ""):
        return given
    if parts.path.rstrip("/") in {"", "/api"} or _is_archive(parts):
        raise UsageError(f"{redact(given)}: names an archive, and no dandiset of it", FORMS)
    return given


def _parts(given: str) -> SplitResult:
    try:
        parts = urlsplit(given)
        named = parts.hostname and (parts.port or True)
    except ValueError:
        named = None
    if not named or not given.isprintable() or " " in given:
        raise UsageError(f"{redact(given)!r}: no address", "https://<host>/<path>, blanks as %20")
    if "@" in parts.netloc:
        problem = f"{redact(given)}: an address with a user or a password, which would be in results and logs"
        raise UsageError(problem, "give it without, or download the file and give its path")
    if "::" in parts.path:
        raise UsageError(f"{redact(given)}: a chain of addresses", "give that of the file alone")
    return parts


def _is_archive(parts: SplitResult) -> bool:
    if not is_installed("dandi"):  # only dandi knows archives by name; other files are read without it
        return False
    from dandi.consts import known_instances

    known = {urlsplit(address).hostname for instance in known_instances.values() for address in instance.urls()}
    return parts.hostname in known - {"localhost", "127.0.0.1"}


def _without_page(given: str) -> str:
    """Return the address of a page of an archive; of its query only the folder stays."""
    start, mark, query = given.partition("?")
    if not mark or "/dandisets/" in start:
        return given
    location = parse_qs(query).get("location", [""])[0]
    return f"{start}?location={quote(location, safe='/*[]')}" if location else start.removesuffix("/files")


def check_pinnable(address: str) -> None:
    """Raise a usage error if an address cannot stand in a table of sessions.

    An address outside an archive has no digest that would pin its content.
    """
    if is_web(address) and not _in_archive(address):
        problem = f"{redact(address)}: an address outside an archive has no digest that a session could be pinned by"
        raise UsageError(problem, "download the file and give its path, or give the address to inspect or extract")


def _in_archive(address: str) -> bool:
    parts = urlsplit(address)
    inside = f"{parts.path}{parts.fragment}"
    return bool(DANDISET.search(inside) or ASSET.search(inside) or REDIRECTING.fullmatch(parts.hostname or ""))


def names_dandiset(address: str) -> bool:
    """Return whether an address in a result names a dandiset of an archive.

    >>> names_dandiset("dandi://dandi/000207@0.220216.0323/sub-4/a.nwb"), names_dandiset("a.nwb")
    (True, False)
    """
    return DANDI.fullmatch(address) is not None or (is_web(address) and DANDISET.search(address) is not None)


def source(given: Path | str) -> Given:
    """Return the single source of a command; an asset of an archive is pinned.

    Raises:
        UsageError: The source is of an unsupported kind, or names no asset or several.
        Failure: The archive cannot be reached.
    """
    source_given = checked(given)
    if isinstance(source_given, Path) or (is_web(source_given) and not _in_archive(source_given)):
        return source_given
    assets = remote.find([source_given], draft=True)
    if len(assets) > 1:
        problem = f"{source_given}: {len(assets)} assets, but one is needed"
        raise UsageError(problem, f"name one, such as .../{assets[0].path}, or take all with `xcebra-nwb run`")
    (row,) = remote.rows(assets)
    return _pinned(row)


def names_several(text: str) -> bool:
    """Return whether a text names an object of an archive that can hold several assets.

    >>> names_several("DANDI:000207/0.220216.0323"), names_several("a.nwb")
    (True, False)
    """
    try:
        address = checked(text)
    except UsageError:
        return False
    if isinstance(address, Path) or remote.ASSET_ID.fullmatch(address.lower()) or ASSET.search(address):
        return False
    return (not is_web(address) or _in_archive(address)) and not address.endswith((".nwb", ".nwb.zarr"))


def sources(address: str) -> list[Given]:
    """Return every recording of an address; the assets of an archive are pinned.

    Raises:
        UsageError: It names no asset.
        Failure: The archive cannot be reached.
    """
    if is_web(address) and not _in_archive(address):
        return [address]
    return [_pinned(row) for row in remote.rows(remote.find([address], draft=True))]


def _pinned(row: Session) -> Pinned:
    return Pinned(access="download" if row.path.endswith(".zarr") else "stream", session=row)


def local(given: Path | str) -> Path:
    """Return the path of a file on this machine.

    Raises:
        UsageError: The source is an address.
    """
    source_given = checked(given)
    if isinstance(source_given, Path):
        return source_given
    raise UsageError(
        f"{redact(source_given)}: only a file on this machine can be used here",
        "download it, and give its path",
    )
