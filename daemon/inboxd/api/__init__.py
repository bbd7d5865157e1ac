"""
The Python API: sessions, task trees, and what runs them in the caller's own process.

Everything public of it is exported by `inboxd` itself (docs/reference/python.md).
"""
