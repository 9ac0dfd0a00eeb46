"""The command line, where ``python -m xcebra_nwb`` starts it."""

from xcebra_nwb.commands.cli.app import main

if __name__ == "__main__":
    main()
