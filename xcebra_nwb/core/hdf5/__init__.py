"""What any HDF5 file may hold, whoever wrote it: bounds, filters, and where it leads; it knows nothing of NWB."""
