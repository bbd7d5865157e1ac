"""The store: all SQL of inboxd, on SQLAlchemy Core."""
