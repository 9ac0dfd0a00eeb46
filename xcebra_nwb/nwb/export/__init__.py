"""Write results into an NWB file, check that file, and read it back."""
