"""Decode the chunks of Zarr arrays by codecs from fixed lists, within bounds.

No other codec is looked up, imported or run. Codecs that make objects (pickle, msgpack) are not in the lists, and the
registry of numcodecs, which imports installed packages by name, is never used.
"""

from __future__ import annotations

import bz2
import json
import lzma
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import google_crc32c
import numcodecs
import numpy as np

from xcebra_nwb.nwb.reading.zarr.bounds import MOST_TEXTS
from xcebra_nwb.nwb.reading.zarr.types import number

Settings = Mapping[str, Any]
BLOSC_HEADER = 16  # bytes
ZSTD = 0xFD2FB528
LZMA_FORMATS = {lzma.FORMAT_AUTO, lzma.FORMAT_XZ, lzma.FORMAT_ALONE}
LZMA_MEMORY = 2**28  # bytes
DEFAULT_CHECKSUM = {"initval": 0, "prefix": None}


@dataclass(frozen=True)
class Codec:
    """A codec with its settings, as the metadata state it."""

    name: str
    settings: Settings = field(default_factory=dict)


def decoded(codec: Codec, raw: Any, most: int) -> Any:
    """Return the bytes that a codec was given.

    Args:
        codec: A codec that is named in :data:`BYTES`.
        raw: The encoded bytes.
        most: Largest number of bytes to return.

    Raises:
        ValueError: The bytes are damaged, or more than ``most``.

    >>> decoded(Codec("zlib"), zlib.compress(b"spikes"), most=100)
    b'spikes'
    """
    made = BYTES[codec.name](codec.settings, raw, most)
    if memoryview(made).nbytes > most:
        raise _larger(most)
    return made


def objects(codec: Codec, raw: Any, count: int) -> np.ndarray:
    """Return the texts that a codec was given, shape (count,).

    Args:
        codec: A codec that is named in :data:`OBJECTS`.
        raw: The encoded bytes.
        count: Number of texts.

    Raises:
        ValueError: The texts are damaged, or of another number.

    >>> raw = b"".join(number.to_bytes(4, "little") for number in (1, 3)) + b"CA1"
    >>> objects(Codec("vlen-utf8"), raw, 1).tolist()
    ['CA1']
    """
    if memoryview(raw).nbytes > MOST_TEXTS:
        raise _larger(MOST_TEXTS)
    made = np.empty(count, dtype=object)
    made[:] = OBJECTS[codec.name](codec.settings, bytes(raw), count)
    return made


def _larger(most: int) -> ValueError:
    return ValueError(f"it expands to more than {most} bytes")


def _blosc(settings: Settings, raw: bytes, most: int) -> bytes:
    """Decode Blosc, checking the sizes in the header, which C-Blosc trusts."""
    if len(raw) < BLOSC_HEADER:
        raise ValueError("a Blosc chunk without its header")
    size, _, stored = struct.unpack_from("<III", raw, 4)
    if stored != len(raw):
        raise ValueError(f"a Blosc chunk of {len(raw)} bytes states {stored}")
    _check(size, most)
    return numcodecs.Blosc().decode(raw)


def _zstd(settings: Settings, raw: bytes, most: int) -> bytes:
    _check(_zstd_size(raw), most)
    return numcodecs.Zstd().decode(raw)


def _zstd_size(raw: bytes) -> int:
    """Return the content size that the frame header states (RFC 8878, 3.1.1.1)."""
    if len(raw) < 6 or struct.unpack_from("<I", raw)[0] != ZSTD:
        raise ValueError("no Zstandard frame")
    descriptor = raw[4]
    single, dictionary = descriptor >> 5 & 1, (0, 1, 2, 4)[descriptor & 3]
    start = 5 + (1 - single) + dictionary
    length = (1 if single else 0, 2, 4, 8)[descriptor >> 6]
    if not length or len(raw) < start + length:
        raise ValueError("a Zstandard frame that does not state its size")
    return int.from_bytes(raw[start : start + length], "little") + (256 if length == 2 else 0)


def _lz4(settings: Settings, raw: bytes, most: int) -> bytes:
    if len(raw) < 4:
        raise ValueError("an LZ4 chunk without its header")
    _check(int.from_bytes(raw[:4], "little"), most)
    return numcodecs.LZ4().decode(raw)


def _check(size: int, most: int) -> None:
    if size > most:
        raise _larger(most)


def _zlib(window: int) -> Callable[[Settings, bytes, int], bytes]:
    return lambda settings, raw, most: _streamed(zlib.decompressobj(window), raw, most)


def _bz2(settings: Settings, raw: bytes, most: int) -> bytes:
    return _streamed(bz2.BZ2Decompressor(), raw, most)


def _lzma(settings: Settings, raw: bytes, most: int) -> bytes:
    layout = settings.get("format", lzma.FORMAT_XZ)
    if layout not in LZMA_FORMATS:
        raise ValueError(f"LZMA of format {layout!r:.80}")
    return _streamed(lzma.LZMADecompressor(layout, LZMA_MEMORY), raw, most)


def _streamed(engine: Any, raw: bytes, most: int) -> bytes:
    """Decode one compressed stream, up to ``most`` bytes."""
    made = engine.decompress(raw, most + 1)
    if len(made) > most:
        raise _larger(most)
    if not engine.eof or engine.unused_data:
        raise ValueError("a compressed stream that is cut off, or is followed by something else")
    return made


def _delta(settings: Settings, raw: bytes, most: int) -> Any:
    plain = number(settings.get("dtype"))
    return _numeric(numcodecs.Delta, raw, most, number(settings.get("astype") or plain.str), plain, dtype=plain)


def _scaled(settings: Settings, raw: bytes, most: int) -> Any:
    plain = number(settings.get("dtype"))
    scale, offset = float(settings["scale"]), float(settings["offset"])
    kept = number(settings.get("astype") or plain.str)
    return _numeric(numcodecs.FixedScaleOffset, raw, most, kept, plain, dtype=plain, scale=scale, offset=offset)


def _numeric(
    kind: Callable[..., Any], raw: bytes, most: int, kept: np.dtype, plain: np.dtype, **settings: Any
) -> np.ndarray:
    _check(memoryview(raw).nbytes // kept.itemsize * plain.itemsize, most)
    return kind(astype=kept, **settings).decode(raw)


def _cast(kept: str, plain: str) -> Callable[[Settings, bytes, int], Any]:
    """Return a decoder that only changes the type of numbers.

    ``kept`` and ``plain`` are the settings that name the stored type and the decoded one.
    """

    def decode(settings: Settings, raw: bytes, most: int) -> Any:
        after = number(settings.get(plain))
        before = number(settings.get(kept) or after.str)
        _check(memoryview(raw).nbytes // before.itemsize * after.itemsize, most)
        return np.frombuffer(raw, before).astype(after)

    return decode


def _packbits(settings: Settings, raw: bytes, most: int) -> Any:
    if not memoryview(raw).nbytes or bytes(memoryview(raw).cast("B")[:1])[0] > 7:
        raise ValueError("damaged packed bits")
    _check(8 * memoryview(raw).nbytes - 8, most + 7)
    return numcodecs.PackBits().decode(raw)


def _shuffle(settings: Settings, raw: bytes, most: int) -> Any:
    size = settings.get("elementsize", 4)
    if not isinstance(size, int) or not 0 < size < 2**16:
        raise ValueError(f"shuffled by {size!r:.80} bytes")
    return numcodecs.Shuffle(size).decode(raw)


def _as_it_is(settings: Settings, raw: bytes, most: int) -> bytes:
    return raw


def _checksum(kind: Callable[..., Any]) -> Callable[[Settings, bytes, int], Any]:
    def decode(settings: Settings, raw: bytes, most: int) -> Any:
        if memoryview(raw).nbytes < 4:
            raise ValueError("no checksum")
        location = settings.get("location")
        return kind(**({"location": location} if location in {"start", "end"} else {})).decode(raw)

    return decode


def _jenkins(settings: Settings, raw: bytes, most: int) -> Any:
    if any(settings.get(name, default) != default for name, default in DEFAULT_CHECKSUM.items()):
        raise ValueError("a checksum that begins with another value")
    return _checksum(numcodecs.JenkinsLookup3)({}, raw, most)


def _crc32c(settings: Settings, raw: bytes, most: int) -> bytes:
    """Check and remove a CRC-32C checksum, which numcodecs alone cannot."""
    content = bytes(raw)
    if settings.get("location", "end") == "start":
        stated, content = content[:4], content[4:]
    else:
        stated, content = content[-4:], content[:-4]
    if len(stated) < 4 or google_crc32c.value(content) != int.from_bytes(stated, "little"):
        raise ValueError("a wrong checksum")
    return content


def _texts(settings: Settings, raw: bytes, count: int) -> list[str]:
    """Decode texts: their number, then the length and the bytes of each."""
    if len(raw) < 4 + 4 * count or int.from_bytes(raw[:4], "little") != count:
        raise ValueError(f"not {count} texts")
    texts, end = [], 4
    for _ in range(count):
        start = end + 4
        end = start + int.from_bytes(raw[end:start], "little")
        if start > len(raw) or end > len(raw):
            raise ValueError("texts that are cut off")
        texts.append(raw[start:end].decode("utf-8", "replace"))
    return texts


def _json(settings: Settings, raw: bytes, count: int) -> list[Any]:
    """Decode a JSON list of the values, followed by their type and shape."""
    try:
        stored = json.loads(raw)
    except RecursionError:
        raise ValueError("JSON that is nested too deeply") from None
    if not isinstance(stored, list) or len(stored) != count + 2:
        raise ValueError(f"not {count} values in JSON")
    return stored[:-2]


def _categories(settings: Settings, raw: bytes, count: int) -> list[str]:
    codes = np.frombuffer(raw, number(settings.get("astype", "u1")))
    labels = settings.get("labels")
    if len(codes) != count or codes.dtype.kind not in "iu" or not isinstance(labels, list):
        raise ValueError(f"not {count} categories")
    named = dict(enumerate(map(str, labels), start=1))
    return [named.get(int(code), "") for code in codes]


BYTES: Mapping[str, Callable[[Settings, bytes, int], Any]] = {
    "blosc": _blosc,
    "zstd": _zstd,
    "lz4": _lz4,
    "gzip": _zlib(31),
    "zlib": _zlib(15),
    "bz2": _bz2,
    "lzma": _lzma,
    "shuffle": _shuffle,
    "delta": _delta,
    "fixedscaleoffset": _scaled,
    "quantize": _cast("astype", "dtype"),
    "astype": _cast("encode_dtype", "decode_dtype"),
    "packbits": _packbits,
    "bitround": _as_it_is,
    "crc32": _checksum(numcodecs.CRC32),
    "crc32c": _crc32c,
    "adler32": _checksum(numcodecs.Adler32),
    "fletcher32": _checksum(numcodecs.Fletcher32),
    "jenkins_lookup3": _jenkins,
}
"""Of bytes, bytes."""

OBJECTS: Mapping[str, Callable[[Settings, bytes, int], list[Any]]] = {
    "vlen-utf8": _texts,
    "vlen-bytes": _texts,
    "json2": _json,
    "categorize": _categories,
}
"""Of bytes, texts (or what else JSON can hold)."""


def codec(name: Any, settings: Any, known: frozenset[str]) -> Codec:
    """Return the codec that the metadata name.

    Args:
        name: Name of the codec.
        settings: Its settings.
        known: Names of the codecs that may be used.

    Raises:
        Unlisted: The name is not in ``known``.
        ValueError: The settings are no mapping.

    >>> codec("gzip", {"level": 5}, frozenset({"gzip"}))
    Codec(name='gzip', settings={'level': 5})
    """
    if not isinstance(name, str) or name not in known:
        raise Unlisted(name)
    if not isinstance(settings, Mapping):
        raise ValueError(f"settings of {name}: {settings!r:.80}")
    return Codec(name, settings)


class Unlisted(ValueError):
    """The error for a codec that is not in the lists."""

    def __init__(self, name: Any) -> None:
        shown = f"{name!r:.80}".strip("'")
        super().__init__(
            "pickled, which is never read" if name == "pickle" else f"made by the codec {shown}, which is not read"
        )
