"""The usable time bins, and the rules that pair similar ones."""
