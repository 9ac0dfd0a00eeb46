"""Choose and read the neural data in an NWB file, and select the units to keep."""
