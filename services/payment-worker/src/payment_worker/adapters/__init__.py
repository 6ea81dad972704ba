"""What the ports are in this service: its tables, order-worker, and the payment provider."""
