"""`python -m billing`, the same as the command `billing`."""

from billing.cli import main

if __name__ == "__main__":
    main()
