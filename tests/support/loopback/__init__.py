"""A DANDI archive on this machine, for tests: it speaks to the real client, and fails on demand."""

from .model import Archive, Asset
from .server import Loopback

__all__ = ["Archive", "Asset", "Loopback"]
