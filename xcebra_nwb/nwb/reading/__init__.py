"""Read single objects of an NWB file, such as time series, tables and spike times, from HDF5 or Zarr."""
