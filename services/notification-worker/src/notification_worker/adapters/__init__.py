"""What the ports are in this service: its tables, Jinja2, and a mail server over SMTP."""
