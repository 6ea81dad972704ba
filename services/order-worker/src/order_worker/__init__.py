"""Stores orders and follows their state."""
