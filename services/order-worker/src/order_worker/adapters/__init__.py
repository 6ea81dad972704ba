"""What the ports are in this service: its tables."""
