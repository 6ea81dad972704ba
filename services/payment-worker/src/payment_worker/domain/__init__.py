"""The rules: payments, their refunds, and what is known of their orders."""
