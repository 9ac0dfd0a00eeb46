"""Read NWB files into session datasets, and write results into NWB files."""
