"""Configuration: `Settings` and where they come from (flags, environment, files, defaults)."""
