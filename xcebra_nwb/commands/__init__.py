"""The commands, one module each: each reads files and writes files."""
