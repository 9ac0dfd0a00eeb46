"""The attribution maps of a session, member by member, and their test against the nulls: attribution.nc."""
