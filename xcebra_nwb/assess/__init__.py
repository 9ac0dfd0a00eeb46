"""Judge how sure a map is: conditions, decoding, consistency and verdicts."""
