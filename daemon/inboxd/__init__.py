"""inboxd: drop a task array in a directory; it runs."""
