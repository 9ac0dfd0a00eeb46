"""The rules of sampling on a GPU, drawn for all members of an ensemble together."""
