"""Renders templates and sends what they say by each channel."""
