"""Read recordings in Zarr within fixed bounds, without running anything that a file names."""
