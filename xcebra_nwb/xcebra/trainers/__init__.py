"""The losses, and the loop that trains ensembles of encoders to minimise them."""
