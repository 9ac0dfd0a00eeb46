"""Time training and attribution beside CEBRA and beside the best that the machine can do."""
