"""A DANDI archive on this machine, for tests: it speaks to the real client, and fails on demand."""

from tests.support.loopback.model import Archive, Asset
from tests.support.loopback.server import Loopback

__all__ = ["Archive", "Asset", "Loopback"]
