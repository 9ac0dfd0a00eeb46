"""Check an HDF5 file for damage, excess and links before reading its values."""
