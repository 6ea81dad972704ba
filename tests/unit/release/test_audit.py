"""`make audit` tells apart: nothing known, something known, and nothing looked at."""

import json
import os
import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from support import free_port

AUDIT = Path(__file__).parents[3] / "deploy" / "release" / "audit.sh"


class _Database(BaseHTTPRequestHandler):
    """The part of OSV's protocol that uv speaks."""

    known = False

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
        found = {"vulns": [{"id": "TEST-1", "modified": "2026-01-01T00:00:00Z"}]} if self.known else {}
        self._answer({"results": [found, *({} for _ in asked[1:])]})

    def do_GET(self) -> None:
        self._answer(
            {"id": "TEST-1", "modified": "2026-01-01T00:00:00Z", "summary": "planted", "affected": []}
        )

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        pass

    def _answer(self, what: object) -> None:
        body = json.dumps(what).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture(params=[True, False])
def database(request: pytest.FixtureRequest) -> Iterator[tuple[str, bool]]:
    """Its address, and whether it knows something."""
    handler = type("Database", (_Database,), {"known": request.param})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", request.param
        server.shutdown()
        thread.join()


def audit(url: str, *, ci: bool) -> tuple[int, str]:
    environment = {**os.environ, "CI": str(ci).lower(), "UV_HTTP_RETRIES": "0"}
    done = subprocess.run(
        [AUDIT, "--service-url", url],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


def test_what_is_known_fails_everywhere_and_nothing_known_passes(database: tuple[str, bool]) -> None:
    url, known = database

    code, said = audit(url, ci=False)

    assert code == int(known), said
    assert ("planted" in said) is known
    assert "NOT AUDITED" not in said


@pytest.mark.parametrize("ci", [True, False])
def test_a_database_that_cannot_be_asked_is_told_and_fails_in_ci_only(*, ci: bool) -> None:
    code, said = audit(f"http://127.0.0.1:{free_port()}/", ci=ci)

    assert code == int(ci), said
    assert "NOT AUDITED" in said
