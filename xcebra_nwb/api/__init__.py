"""The Python interface: arrays, xarray and pynapple objects in, datasets, tables and figures out."""
