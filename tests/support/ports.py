"""Ports on 127.0.0.1."""

import os
import secrets
import socket

# Below the ports that the kernel gives to outgoing connections (32768 and up on Linux, 49152 elsewhere):
# a server that a test kills and starts again must find its port free. Above those of a local start.
_EACH = 4_250
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 4
_RANGE = range(15_000 + _EACH * _WORKER, 15_000 + _EACH * (_WORKER + 1))
"""Those of this test process: a port that is given and not bound yet looks free to the others."""
_given: set[int] = set()


def free_port() -> int:
    """A port that nothing listens on and that this test process has not given before."""
    first = secrets.randbelow(len(_RANGE))
    for port in (*_RANGE[first:], *_RANGE[:first]):
        if port not in _given and _is_free(port):
            _given.add(port)
            return port
    raise RuntimeError(f"no port of {_RANGE} is free on 127.0.0.1")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def is_listening(port: int) -> bool:
    """Whether somebody accepts connections there."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
