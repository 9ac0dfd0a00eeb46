"""The Jacobian of an ensemble, its inverse, and the maps made of them."""
