"""How much of a file is looked at and read: every bound, in one place. What lies beyond is refused or passed over.

Each is far above what any recording in the archives holds.
"""

from __future__ import annotations

MOST_OBJECTS = 500_000  # groups and datasets of a file, and of the files that it leads to
MOST_DEPTH = 64  # groups inside one another
MOST_FILES = 1_000  # files that a file leads to, directly or through one another
MOST_ATTRIBUTES = 10_000  # of one object
MOST_ATTRIBUTE_BYTES = 2**20  # of one attribute
MOST_NAME = 256  # characters of the name of a group or a column
MOST_SHOWN = 60  # characters that are shown of such a name
MOST_TEXT = 100_000  # characters of one text; more are cut off
MOST_LABEL = 200  # characters of a unit's name, its region, or a class of a label; more are cut off
PLAUSIBLE = 2**28  # bytes: what takes less memory is read, whatever it takes on disk
MOST_COMPRESSED = 1000  # times smaller on disk than in memory: gzip's own limit for one repeated value
MOST_CHUNK_BYTES = 2**31  # of what is decoded as one
MOST_MEMORY = 0.8  # of the memory that is free: what takes more at once is not read
