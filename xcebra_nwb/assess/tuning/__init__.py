"""Choosing the number of latents and the regulariser's weight without looking at the answer."""
