"""`python -m local_start` is `queue`."""

from local_start.cli import app

if __name__ == "__main__":
    app(prog_name="queue")
