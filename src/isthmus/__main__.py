"""`python -m isthmus` and the `isthmus` command."""

from isthmus.doors.cli.main import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
