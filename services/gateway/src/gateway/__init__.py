"""HTTP in; the journal of every event; health of all."""
