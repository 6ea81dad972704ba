"""What can be done with payments, and what that causes."""
