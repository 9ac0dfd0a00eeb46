"""Small NWB files damaged at random, and commands run on them."""
