"""Find, fetch and publish sessions in folders and in DANDI archives."""
