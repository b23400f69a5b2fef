"""``python -m tinyseg``."""

from tinyseg.cli.main import main

if __name__ == "__main__":
    main()
