"""Bring activity and labels onto one grid of time bins, and mask the bins that cannot be used."""
