"""Captures and refunds at the payment provider, never twice."""
