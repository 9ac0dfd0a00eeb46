"""Limits on what is read of a Zarr recording.

Anything beyond a limit is refused, or left out by name.
"""

from __future__ import annotations

MOST_METADATA = 2**26  # bytes of JSON, of all groups and arrays together
MOST_NODES = 100_000  # groups and arrays
MOST_DIMENSIONS = 32  # of an array, as many as numpy has
MOST_FIELDS = 1_000  # of a compound type
MOST_CHUNKS = 1_000_000  # of one array
MOST_CHUNK = 2**31  # bytes of one chunk, stored or decoded
MOST_TEXTS = 2**26  # bytes of one chunk of texts, decoded
MOST_CODECS = 16  # of one array
MOST_LINKS = 64  # links that are followed to reach one object
MOST_FILES = 1_000_000  # files in a zip file, or below a folder whose size is computed
