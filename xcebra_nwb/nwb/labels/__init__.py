"""Choose, read and derive the behavioural labels in an NWB file."""
