"""Choose labels for ``auto``: by what a series or column is, not by what it is called."""
