"""Where sessions come from: the table of a run, and the files behind it."""
