"""Scheduling on APScheduler's job stores: the only package that imports APScheduler."""

from __future__ import annotations

import importlib

from inboxd.imports import without_entry_points

with without_entry_points():
    importlib.import_module("apscheduler.schedulers.base")
