"""Attribution maps of neural populations, from NWB files and back."""

__version__ = "0.5.0"
