"""Simulate recordings whose truth is known: the paper's two populations, and RatInABox cells."""
