"""Make the session dataset from an NWB file."""
