"""`python -m inboxd` is the command `inboxd`."""

from __future__ import annotations

from inboxd.cli.main import main

if __name__ == "__main__":
    main()
