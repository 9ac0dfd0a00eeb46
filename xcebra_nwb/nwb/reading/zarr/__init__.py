"""Read recordings in Zarr within limits, running nothing that a file names."""
