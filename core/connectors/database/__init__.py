"""Databases: what a read-only query answers."""
