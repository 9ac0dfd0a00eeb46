"""The command line, where ``python -m xcebra_nwb.cli`` starts it."""

from xcebra_nwb.cli.app import main

if __name__ == "__main__":
    main()
