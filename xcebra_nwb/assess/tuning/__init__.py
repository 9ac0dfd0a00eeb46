"""Choose the number of latents and the regulariser's weight, blind to results."""
