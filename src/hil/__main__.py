"""Run the command line as `python -m hil`."""

from hil.cli.main import main

if __name__ == "__main__":
    main()
