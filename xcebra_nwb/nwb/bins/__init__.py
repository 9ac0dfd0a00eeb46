"""Bring activity and labels onto one grid of bins, and mask bins."""
