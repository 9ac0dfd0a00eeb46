"""What the method can do, measured: against simulated truth, against itself with parts removed, against a peer."""
