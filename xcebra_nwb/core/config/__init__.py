"""The typed config: its keys, their defaults and meaning, and the messages when a key is wrong."""
