"""How sure are we: nulls, decoding, consistency, identifiability, verdicts."""
