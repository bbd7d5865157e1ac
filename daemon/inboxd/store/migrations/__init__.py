"""The steps of the schema, forward only, applied by Alembic at start."""
