"""Check an HDF5 file for damage, excess and links to other files before its values are read."""
