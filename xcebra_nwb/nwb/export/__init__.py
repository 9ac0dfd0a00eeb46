"""Write the results of a session into an NWB file, check that file and read it back."""
