"""Measure the method against simulated truth, against CEBRA, and against itself."""
