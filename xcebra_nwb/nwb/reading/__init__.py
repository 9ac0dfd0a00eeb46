"""Read objects of an NWB file, in HDF5 or Zarr: series, tables, spike times."""
