"""Read the metadata of all groups and arrays of a Zarr recording, within bounds.

zarr-python is not used. It imports the codecs that metadata name, makes arrays as large as they state, and reads
either format depending on its version. This folder has the parts of Zarr that a recording needs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from xcebra_nwb.core.errors import Failure, Refusal
from xcebra_nwb.core.hdf5.bounds import MOST_DEPTH
from xcebra_nwb.core.passing import as_failure
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.reading.zarr.bounds import MOST_METADATA, MOST_NODES
from xcebra_nwb.nwb.reading.zarr.files import Elsewhere, Files, Folder, Web, Zipped, is_plain
from xcebra_nwb.nwb.reading.zarr.tree import Node, Tree, ZarrGroup

ARRAY, GROUP, ATTRIBUTES = ".zarray", ".zgroup", ".zattrs"


def folder(path: Path, within: Path | None) -> Files:
    """Return the files of a local folder.

    Args:
        path: Root of the recording.
        within: Folder out of which no link is followed; None follows all links.
    """
    return Folder(path, within)


def address(url: str) -> Files:
    """Return the files under an address."""
    return Web(url)


def zipped(stream: BinaryIO) -> Files:
    """Return the files of a zip file."""
    return Zipped(stream)


def zarr_root(files: Files, name: str) -> ZarrGroup:
    """Return the root group of a Zarr recording.

    Args:
        files: The files of the recording.
        name: Name of the recording in messages.

    Raises:
        Refusal: It is no Zarr recording, damaged, too large, or of a format that is not supported.
        Failure: An address does not answer.
    """
    try:
        nodes = _nodes(_Reader(files))
    except ConnectionError as error:
        raise Failure(f"{name}: cannot be read: {error}", "check the address and the network") from None
    except KeyError:
        raise Refusal(
            Code.NOT_NWB, f"{name}: not an NWB file: no Zarr group", "give an .nwb file or an .nwb.zarr"
        ) from None
    except Elsewhere as error:
        raise Refusal(
            Code.LEADS_ELSEWHERE, f"{name}: {error}", "copy what it leads to, or give --follow-links if you trust it"
        ) from None
    except Beyond as error:
        raise Refusal(Code.OUT_OF_BOUNDS, f"{name}: {error}", "ask the author of the file") from None
    except (OSError, ValueError, TypeError, AttributeError) as error:
        if failure := as_failure(error, name):
            raise failure from None
        problem = f"{name}: damaged: its Zarr metadata cannot be read: {error}"
        raise Refusal(Code.DAMAGED, problem, "copy it again") from None
    return ZarrGroup("", Tree(files, nodes))


class Beyond(Exception):
    """The error for a recording that is larger than any real one."""


class _Reader:
    """Reads JSON files, :data:`MOST_METADATA` bytes of them in total."""

    def __init__(self, files: Files) -> None:
        self.files, self._left = files, MOST_METADATA

    def json(self, key: str) -> dict[str, Any]:
        """Return the mapping in a file; raise KeyError if there is no file."""
        raw = self.files.read(key, MOST_METADATA + 1)
        self._left -= len(raw)
        if self._left < 0:
            raise Beyond(f"more than {MOST_METADATA} bytes of metadata")
        try:
            content = json.loads(raw)
        except RecursionError:
            raise ValueError(f"{key}: JSON that is nested too deeply") from None
        if not isinstance(content, dict):
            raise ValueError(f"{key}: no mapping")
        return content

    def optional(self, key: str) -> dict[str, Any]:
        """Return the mapping in a file, empty if there is no file."""
        try:
            return self.json(key)
        except KeyError:
            return {}


def _nodes(reader: _Reader) -> dict[str, Node]:
    try:
        root = reader.json("zarr.json")
    except (KeyError, ConnectionError):  # some servers answer 403 for missing files
        return _format_2(reader)
    return _format_3(reader, root)


def _format_3(reader: _Reader, root: dict[str, Any]) -> dict[str, Node]:
    collected = root.get("consolidated_metadata")
    if isinstance(collected, dict) and isinstance(collected.get("metadata"), dict):
        return _bounded({"": root, **collected["metadata"]}, _node_3)
    return _walked(reader, lambda path: _node_3(reader.json(_under(path, "zarr.json"))))


def _node_3(metadata: Any) -> Node:
    _check_format(metadata, 3)
    kind = metadata.get("node_type")
    if kind not in {"group", "array"}:
        raise ValueError(f"a node of type {kind!r:.20}")
    return Node(dict(metadata.get("attributes") or {}), metadata if kind == "array" else None, 3)


def _format_2(reader: _Reader) -> dict[str, Node]:
    collected = reader.optional(".zmetadata").get("metadata")
    if not isinstance(collected, dict):
        reader.json(GROUP)
        return _walked(reader, lambda path: _read_2(reader, path))
    paths: dict[str, dict[str, Any]] = {}
    for key, metadata in collected.items():
        path, _, name = key.rpartition("/")
        paths.setdefault(path, {})[name] = metadata
    described = {path: entries for path, entries in paths.items() if ARRAY in entries or GROUP in entries}
    return _bounded(described, _node_2)


def _read_2(reader: _Reader, path: str) -> Node:
    metadata_by_name = {name: reader.optional(_under(path, name)) for name in (ARRAY, GROUP, ATTRIBUTES)}
    if not metadata_by_name[ARRAY] and not metadata_by_name[GROUP]:
        raise KeyError(path)
    return _node_2({name: metadata for name, metadata in metadata_by_name.items() if metadata})


def _node_2(metadata_by_name: Mapping[str, Any]) -> Node:
    _check_format(metadata_by_name.get(ARRAY) or metadata_by_name.get(GROUP), 2)
    return Node(dict(metadata_by_name.get(ATTRIBUTES) or {}), metadata_by_name.get(ARRAY), 2)


def _check_format(metadata: Any, wanted: int) -> None:
    stated = metadata.get("zarr_format") if isinstance(metadata, dict) else None
    if stated != wanted:
        raise ValueError(f"it states Zarr format {stated!r:.20}, where {wanted} was expected")


def _bounded(stated: Mapping[str, Any], node: Callable[[Any], Node]) -> dict[str, Node]:
    """Return the nodes of consolidated metadata."""
    if "" not in stated:
        raise ValueError("no root group")
    _check_number(len(stated))
    for path in stated:
        if path and not is_plain(path):
            raise ValueError(f"an object called {path!r:.80}")
        _check_depth(path)
    return {path: _tried(node, metadata) if path else node(metadata) for path, metadata in stated.items()}


def _walked(reader: _Reader, node: Callable[[str], Node]) -> dict[str, Node]:
    """Return the nodes of a recording whose metadata are not consolidated."""
    nodes = {"": node("")}
    pending = [""]
    while pending:
        above = pending.pop()
        for name in filter(is_plain, reader.files.folders(above)):
            path = _under(above, name)
            try:
                nodes[path] = _tried(node, path)
            except KeyError:  # the folder is no node
                continue
            _check_number(len(nodes))
            _check_depth(path)
            if not nodes[path].problem and nodes[path].array is None:
                pending.append(path)
    return nodes


def _tried(node: Callable[[Any], Node], stated: Any) -> Node:
    """Return a node, with its problem if it has one, so that others are still read."""
    try:
        return node(stated)
    except (OSError, ValueError, TypeError) as error:
        return Node({}, None, 0, problem=f"its Zarr metadata cannot be read: {error}")


def _check_number(number: int) -> None:
    if number > MOST_NODES:
        raise Beyond(f"more than {MOST_NODES} groups and arrays")


def _check_depth(path: str) -> None:
    if path.count("/") >= MOST_DEPTH:
        raise Beyond(f"groups more than {MOST_DEPTH} deep")


def _under(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
