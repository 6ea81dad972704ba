"""What the fake services have in common: a port, readiness, and a way to misbehave on demand.

`FAKE_FAULT=<name>:<fault>` picks one: `dies` (with a reason, at once), `stubborn` (ignores SIGTERM),
`unready` (never ready), `bad-migration`, `bad-seed`.
"""

import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def _leave(*_: object) -> None:
    sys.exit(0)


def main(name: str) -> None:
    fault = dict(pair.split(":") for pair in os.environ.get("FAKE_FAULT", "").split(",") if pair).get(name)
    if sys.argv[1:] == ["migrate"]:
        sys.exit("no such table: orders" if fault == "bad-migration" else 0)
    if sys.argv[1:] == ["seed"]:
        sys.exit("no such template: refund" if fault == "bad-seed" else 0)
    if fault == "dies":
        sys.exit("cannot work: the moon is full")
    if fault == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, _leave)

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(503 if fault == "unready" else 200)
            self.end_headers()
            self.wfile.write(b'{"status": "ok", "services": {}}')

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the base
            return

    port = int(os.environ[f"{name.upper()}_PORT"])
    redis, world = os.environ.get("REDIS_URL"), os.environ.get("FAKE_WORLD_URL")
    sys.stderr.write(f"{name} listens, redis is {redis}, the world is {world}\n")
    ThreadingHTTPServer((os.environ["HOST"], port), Answers).serve_forever()
