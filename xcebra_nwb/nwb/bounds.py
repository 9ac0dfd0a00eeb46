"""How much of a file is looked at and read: every bound, in one place. What lies beyond is refused or passed over.

Each is far above what any recording in the archives holds.
"""

from __future__ import annotations

MOST_OBJECTS = 500_000  # groups and datasets of a file, and of the files that it leads to
MOST_DEPTH = 64  # groups inside one another
MOST_FILES = 1_000  # files that a file leads to, directly or through one another
MOST_ATTRIBUTES = 10_000  # of one object
MOST_ATTRIBUTE_BYTES = 2**20  # of one attribute
