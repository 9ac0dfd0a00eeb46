"""Parse and check how a Zarr array of format 2 or 3 is stored."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from xcebra_nwb.nwb.reading.zarr import types
from xcebra_nwb.nwb.reading.zarr.bounds import MOST_CHUNK, MOST_CHUNKS, MOST_CODECS, MOST_DIMENSIONS, MOST_TEXTS
from xcebra_nwb.nwb.reading.zarr.codecs import BYTES, OBJECTS, Codec, Unlisted, codec

LISTED_2 = frozenset(BYTES) | frozenset(OBJECTS)
SERIALIZED = frozenset({"bytes", "vlen-utf8", "vlen-bytes"})
PREFIX = "numcodecs."  # prefix that format 3 gives the names of numcodecs' own codecs
OWN_NAMES = frozenset({"blosc", "zstd", "gzip", "crc32c"})  # names that format 3 defines itself
ON_NUMBERS = frozenset({"delta", "fixedscaleoffset", "quantize", "astype", "packbits", "bitround"})
LISTED_3 = frozenset(BYTES) | SERIALIZED | {"transpose", "sharding_indexed"}
ARRAY_KEYS = {"zarr_format", "node_type", "shape", "data_type", "chunk_grid", "chunk_key_encoding", "codecs"}
ARRAY_KEYS |= {"fill_value", "attributes", "storage_transformers", "dimension_names"}


@dataclass(frozen=True)
class Shard:
    """A file that holds several chunks and an index of them.

    Attributes:
        chunks: Number of chunks along each axis.
        index_first: Whether the index stands at the start of the file.
        index_checked: Whether the index has a checksum.
    """

    chunks: tuple[int, ...]
    index_first: bool
    index_checked: bool

    @property
    def index_bytes(self) -> int:
        """The length of the index in bytes."""
        return 16 * math.prod(self.chunks) + (4 if self.index_checked else 0)


@dataclass(frozen=True)
class Layout:
    """How an array is stored.

    Attributes:
        shape: Shape of the array.
        chunks: Shape of a chunk.
        dtype: Type of the values; object for texts.
        codecs: Codecs in the order of decoding.
        turns: Orders of axes by which chunks were transposed, in the order of decoding.
        shard: How chunks are collected in files; None if each has its own.
        fill: Value of chunks that are not stored; None if every chunk must be.
        prefix: Start of the name of a chunk.
        separator: Separator in the name of a chunk.
        unread: Reason why the values cannot be read, "" if they can.
    """

    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: np.dtype
    codecs: tuple[Codec, ...] = ()
    turns: tuple[tuple[int, ...], ...] = ()
    shard: Shard | None = None
    fill: Any = None
    prefix: str = ""
    separator: str = "."
    unread: str = ""

    @property
    def chunk_bytes(self) -> int:
        """The length of a decoded chunk in bytes; the largest allowed for texts."""
        return MOST_TEXTS if self.dtype.hasobject else math.prod(self.chunks) * self.dtype.itemsize

    def key(self, index: Sequence[int]) -> str:
        """Return the name of the file of a chunk or shard.

        Args:
            index: Number of the chunk along each axis.

        >>> Layout((10, 10), (5, 5), np.dtype("f4")).key((1, 0))
        '1.0'
        """
        parts = [*([self.prefix] if self.prefix else []), *map(str, index)]
        return self.separator.join(parts) or "0"


def layout(metadata: Mapping[str, Any], format_number: int) -> Layout:
    """Return how the array is stored that the metadata describe.

    Args:
        metadata: Content of ``.zarray`` or ``zarr.json``.
        format_number: Zarr format, 2 or 3.

    Raises:
        ValueError: The metadata make no sense, or describe an array that is not supported.

    >>> layout({"shape": [4], "chunks": [2], "dtype": "<f8", "compressor": None}, 2).chunks
    (2,)
    """
    try:
        result = _format_2(metadata) if format_number == 2 else _format_3(metadata)
    except (KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"its metadata make no sense: {type(error).__name__} {error}") from None
    return result if result.unread else replace(result, unread=_beyond(result))


def _beyond(result: Layout) -> str:
    if result.chunk_bytes > MOST_CHUNK:
        return f"a chunk of {result.chunk_bytes:.3g} bytes"
    if result.dtype.hasobject and 4 * math.prod(result.chunks) > MOST_TEXTS:
        return f"a chunk of {math.prod(result.chunks):.3g} texts"
    number = math.prod(-(-length // chunk) for length, chunk in zip(result.shape, result.chunks, strict=True))
    return f"{number:.3g} chunks" if number > MOST_CHUNKS else ""


def _format_2(metadata: Mapping[str, Any]) -> Layout:
    shape = _lengths(metadata["shape"])
    dtype = types.of_format_2(metadata["dtype"])
    plain = Layout(shape, _chunk_shape(metadata["chunks"], shape), dtype)
    order, separator = metadata.get("order", "C"), metadata.get("dimension_separator", ".")
    if order not in {"C", "F"} or separator not in {".", "/"}:
        raise ValueError(f"order {order!r:.20} and separator {separator!r:.20}")
    turns = (tuple(reversed(range(len(shape)))),) if order == "F" else ()
    try:
        codecs = _codecs_2(metadata, dtype)
    except Unlisted as error:
        return replace(plain, unread=str(error))
    return replace(plain, codecs=codecs, turns=turns, separator=separator)


def _codecs_2(metadata: Mapping[str, Any], dtype: np.dtype) -> tuple[Codec, ...]:
    filters, compressor = metadata.get("filters") or [], metadata.get("compressor")
    stated = [*([compressor] if compressor is not None else []), *reversed(_listed(filters))]
    codecs = tuple(codec(entry.get("id"), entry, LISTED_2) for entry in stated)
    _check_objects(codecs, dtype)
    return codecs


def _check_objects(codecs: Sequence[Codec], dtype: np.dtype) -> None:
    """Check that the last codec, and no other, makes texts if the array has some."""
    makers = [entry.name in OBJECTS for entry in codecs]
    if makers != [False] * (len(makers) - 1) + [True] if dtype.hasobject else any(makers):
        raise ValueError("codecs that do not fit its type")


def _format_3(metadata: Mapping[str, Any]) -> Layout:
    shape = _lengths(metadata["shape"])
    unknown = [name for name, value in metadata.items() if name not in ARRAY_KEYS and _needed(value)]
    if unknown or metadata.get("storage_transformers"):
        raise ValueError(f"it needs {[*unknown, 'storage transformers'][0]!r:.80}")
    outer = _chunk_shape(_settings(metadata["chunk_grid"], "regular")["chunk_shape"], shape)
    stated, shard, chunks = _listed(metadata["codecs"]), None, outer
    prefix, separator = _keys(metadata["chunk_key_encoding"])
    plain = Layout(shape, outer, types.of_format_3(metadata["data_type"], "little"))
    try:
        if [_name(entry) for entry in stated] == ["sharding_indexed"]:
            shard, chunks, stated = _shard(stated[0].get("configuration"), outer)
        codecs, turns, byte_order = _codecs_3(stated, len(shape))
    except Unlisted as error:
        return replace(plain, unread=str(error))
    dtype = types.of_format_3(metadata["data_type"], byte_order)
    _check_objects(codecs, dtype)
    fill = types.fill(metadata["fill_value"], dtype)
    return Layout(shape, chunks, dtype, codecs, turns, shard, fill, prefix, separator)


def _needed(value: Any) -> bool:
    return not (isinstance(value, Mapping) and value.get("must_understand") is False)


def _settings(stated: Any, *names: str) -> Mapping[str, Any]:
    """Return the settings of an entry that must have one of ``names``.

    A bare text is a name without settings.
    """
    if isinstance(stated, str):
        stated = {"name": stated}
    if stated["name"] not in names:
        raise ValueError(f"{stated['name']!r:.80}, which is not read")
    return stated.get("configuration") or {}


def _keys(stated: Any) -> tuple[str, str]:
    """Return the prefix and the separator of the names of chunks."""
    settings = _settings(stated, "default", "v2")
    first = stated == "default" or (isinstance(stated, Mapping) and stated["name"] == "default")
    separator = settings.get("separator", "/" if first else ".")
    if separator not in {".", "/"}:
        raise ValueError(f"separator {separator!r:.20}")
    return "c" if first else "", separator


def _name(stated: Any) -> Any:
    """Return the name of a codec of format 3 as numcodecs has it."""
    name = stated.get("name")
    if name == "endian":  # the former name of `bytes`
        return "bytes"
    plain = name.removeprefix(PREFIX) if isinstance(name, str) else name
    return name if plain != name and plain not in BYTES else plain


def _codecs_3(
    stated: Sequence[Mapping[str, Any]], dimensions: int
) -> tuple[tuple[Codec, ...], tuple[tuple[int, ...], ...], str]:
    """Return the codecs in decoding order, the transpositions and the byte order."""
    codecs = [codec(_name(entry), entry.get("configuration") or {}, LISTED_3) for entry in stated]
    positions = [index for index, entry in enumerate(codecs) if entry.name in SERIALIZED]
    if len(positions) != 1:
        raise ValueError("codecs that make bytes of numbers not once")
    before, made, after = codecs[: positions[0]], codecs[positions[0]], codecs[positions[0] + 1 :]
    turned = [entry for entry in before if entry.name == "transpose"]
    if before[: len(turned)] != turned or any(entry.name not in ON_NUMBERS for entry in before[len(turned) :]):
        raise ValueError("codecs in an order that is not read")
    if any(entry.name in ON_NUMBERS | SERIALIZED | {"transpose", "sharding_indexed"} for entry in after):
        raise ValueError("codecs in an order that is not read")
    byte_order = made.settings.get("endian") or "little"
    if byte_order not in types.BYTE_ORDERS:
        raise ValueError(f"byte order {byte_order!r:.20}")
    makers = [made] if made.name in OBJECTS else []
    turns = tuple(_turn(entry.settings.get("order"), dimensions) for entry in reversed(turned))
    numeric = [entry for entry in reversed(before) if entry.name != "transpose"]
    return (*reversed(after), *makers, *numeric), turns, byte_order


def _turn(order: Any, dimensions: int) -> tuple[int, ...]:
    if order in {"C", "F"} if isinstance(order, str) else False:
        order = list(range(dimensions))[:: 1 if order == "C" else -1]
    if not isinstance(order, list) or sorted(order) != list(range(dimensions)):
        raise ValueError(f"transposed by {order!r:.80}")
    return tuple(order)


def _shard(settings: Any, outer: tuple[int, ...]) -> tuple[Shard, tuple[int, ...], list[Mapping[str, Any]]]:
    inner = _lengths(settings["chunk_shape"])
    if len(inner) != len(outer) or any(chunk < 1 or whole % chunk for whole, chunk in zip(outer, inner, strict=True)):
        raise ValueError(f"shards of {list(outer)} in chunks of {list(inner)}")
    index = [
        codec(_name(entry), entry.get("configuration") or {}, LISTED_3) for entry in _listed(settings["index_codecs"])
    ]
    if [entry.name for entry in index] not in (["bytes"], ["bytes", "crc32c"]):
        raise ValueError("an index of shards in codecs that are not read")
    if index[0].settings.get("endian", "little") != "little":
        raise ValueError("an index of shards in another byte order")
    stated = _listed(settings["codecs"])
    if any(_name(entry) == "sharding_indexed" for entry in stated):
        raise ValueError("shards within shards")
    counts = tuple(whole // chunk for whole, chunk in zip(outer, inner, strict=True))
    if math.prod(counts) > MOST_CHUNKS:
        raise ValueError(f"shards of {math.prod(counts):.3g} chunks")
    return Shard(counts, settings.get("index_location", "end") == "start", len(index) == 2), inner, stated


def _listed(stated: Any) -> list[Mapping[str, Any]]:
    if not isinstance(stated, list) or len(stated) > MOST_CODECS:
        raise ValueError(f"codecs {stated!r:.80}")
    return [{"name": entry} if isinstance(entry, str) else {"name": None} | dict(entry) for entry in stated]


def _lengths(stated: Any) -> tuple[int, ...]:
    if not isinstance(stated, list) or len(stated) > MOST_DIMENSIONS:
        raise ValueError(f"shape {stated!r:.80}")
    if not all(isinstance(length, int) and not isinstance(length, bool) and 0 <= length < 2**63 for length in stated):
        raise ValueError(f"shape {stated!r:.80}")
    return tuple(stated)


def _chunk_shape(stated: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    chunks = _lengths(stated)
    if len(chunks) != len(shape) or any(length and not chunk for chunk, length in zip(chunks, shape, strict=True)):
        raise ValueError(f"chunks of {list(chunks)} for a shape of {list(shape)}")
    return tuple(max(1, length) for length in chunks)
