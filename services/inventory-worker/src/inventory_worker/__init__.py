"""Reserves and releases stock."""
