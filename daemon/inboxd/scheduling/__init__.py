"""Scheduling on APScheduler's job stores: the only package that imports APScheduler."""
