"""The demo: four sample orders, what becomes of each as it happens, and what they leave."""

from local_start.demo.story import show

__all__ = ["show"]
