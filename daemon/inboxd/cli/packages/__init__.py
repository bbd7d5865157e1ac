"""Installing and removing plugins in the environment that runs inboxd."""
