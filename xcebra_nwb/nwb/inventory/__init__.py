"""List the contents of an NWB file, and propose a config to start from."""
