"""Recordings whose truth is known: RatInABox cells along a real rat's walk, as NWB files."""
