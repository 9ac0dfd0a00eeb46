"""The shared cache of results: what a command made of the same inputs before is taken from it instead of computed."""
