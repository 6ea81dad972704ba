"""The SQL side of a service: its database, the inbox, the outbox, the relay and the hand-over."""
