"""A payment provider on this machine, with a ledger of what really happened."""
