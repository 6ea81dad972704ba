"""A mail server that delivers nothing: it keeps each mail, and shows it."""
