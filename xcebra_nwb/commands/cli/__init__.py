"""The command line: every command is a function of its name in one of the modules."""

from xcebra_nwb.commands.cli.app import main

__all__ = ["main"]
