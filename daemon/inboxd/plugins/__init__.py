"""Plugins: the hooks, who loads them, and what an executor is."""
