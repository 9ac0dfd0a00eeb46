"""A warm process, which has imported the libraries once, runs the commands of a workflow on this machine."""
