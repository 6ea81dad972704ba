"""What `REDIS_URL` may say: one server, a primary that sentinels watch, or a cluster.

redis://user:password@host:6379/0
redis+sentinel://user:password@host1:26379,host2:26379/mymaster/0
redis+cluster://user:password@host1:6379,host2:6379

With `rediss` in place of `redis` every connection is TLS, those to the sentinels too.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qsl, unquote

_FORM = re.compile(
    r"(?P<scheme>rediss?(?:\+sentinel|\+cluster)?)://"
    r"(?:(?P<login>[^/?#]*)@)?(?P<hosts>[^/?#@]+)(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?"
)
_HOST = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._-]+))(?::(?P<port>[0-9]{1,5}))?")
_DATABASE = re.compile(r"[0-9]{1,5}")
_PRIMARY = re.compile(r"[A-Za-z0-9._-]+")
_PORTS = range(1, 65_536)


class Kind(StrEnum):
    """What answers at the address."""

    SINGLE = "redis"
    SENTINEL = "redis+sentinel"
    CLUSTER = "redis+cluster"


class AddressError(ValueError):
    """A URL that is none of the forms. What it says shows no part of the URL that may be secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisAddress:
    """A `REDIS_URL`, read."""

    kind: Kind
    hosts: tuple[tuple[str, int], ...]
    """Of a sentinel or a cluster some are enough: they know the others."""
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    database: int = 0
    primary: str = ""
    """What the sentinels call the primary."""
    sentinel_login: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """`username` and `password` for the sentinels, if they want any."""
    tls: Mapping[str, Any] | None = None
    """redis-py's arguments for TLS; None where connections are plain."""

    @classmethod
    def parse(cls, url: str) -> Self:
        """Raises `AddressError`. The files that the URL names have to be there."""
        form = _FORM.fullmatch(url)
        if form is None:
            raise AddressError(
                "it must be redis://, rediss://, redis+sentinel:// or redis+cluster:// with a host"
            )
        scheme, _, how = form["scheme"].partition("+")
        kind = Kind(f"redis+{how}") if how else Kind.SINGLE
        primary, database = _path(kind, (form["path"] or "").strip("/"))
        options = _query(kind, form["query"] or "", tls=scheme == "rediss")
        username, password = _login(form["login"])
        return cls(
            kind=kind,
            hosts=_hosts(kind, form["hosts"]),
            username=username,
            password=password,
            database=database,
            primary=primary,
            sentinel_login={
                name.removeprefix("sentinel_"): value
                for name, value in options.items()
                if name.startswith("sentinel_")
            },
            tls=None
            if scheme == "redis"
            else {name: value for name, value in options.items() if name.startswith("ssl_")},
        )

    def __str__(self) -> str:
        """The hosts, for a person: no login."""
        return ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts)


def checked(url: str) -> str:
    """The URL as it came. Raises `AddressError`."""
    RedisAddress.parse(url)
    return url


def _login(text: str | None) -> tuple[str | None, str | None]:
    name, _, password = (text or "").partition(":")
    if name and not password:
        raise AddressError("a user needs a password: user:password@host")
    return unquote(name) or None, unquote(password) or None


def _hosts(kind: Kind, text: str) -> tuple[tuple[str, int], ...]:
    names = text.split(",")
    if kind is Kind.SINGLE and len(names) > 1:
        raise AddressError("several hosts are for redis+sentinel:// and redis+cluster://")
    hosts: list[tuple[str, int]] = []
    for name in names:
        host = _HOST.fullmatch(name)
        port = int((host and host["port"]) or (26379 if kind is Kind.SENTINEL else 6379))
        if host is None or port not in _PORTS:
            raise AddressError("a host is no host:port")
        hosts.append((host["six"] or host["name"], port))
    return tuple(hosts)


def _path(kind: Kind, path: str) -> tuple[str, int]:
    """The name of the primary, and the number of the database."""
    primary = ""
    if kind is Kind.SENTINEL:
        primary, _, path = path.partition("/")
        if not _PRIMARY.fullmatch(primary):
            raise AddressError("the name of the primary has to follow the sentinels: /mymaster")
    if path and not _DATABASE.fullmatch(path):
        raise AddressError("what follows the hosts is no number of a database")
    if kind is Kind.CLUSTER and path not in {"", "0"}:
        raise AddressError("a cluster has no database but 0")
    return primary, int(path or 0)


def _one_of(**words: Any) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        if text not in words:
            raise AddressError(f"an option must be one of {', '.join(words)}")
        return words[text]

    return read


def _file(text: str) -> str:
    if not Path(text).is_file():
        raise AddressError("a file of its options is not there")
    return text


_TLS_OPTIONS: Mapping[str, Callable[[str], Any]] = {
    "ssl_ca_certs": _file,
    "ssl_certfile": _file,
    "ssl_keyfile": _file,
    "ssl_cert_reqs": _one_of(required="required", none="none"),
    "ssl_check_hostname": _one_of(true=True, false=False),
}
_SENTINEL_OPTIONS: Mapping[str, Callable[[str], Any]] = {"sentinel_username": str, "sentinel_password": str}


def _query(kind: Kind, text: str, *, tls: bool) -> dict[str, Any]:
    known = {**(_TLS_OPTIONS if tls else {}), **(_SENTINEL_OPTIONS if kind is Kind.SENTINEL else {})}
    options: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        if name not in known or name in options:
            raise AddressError(f"its options may be, each once: {', '.join(known) or 'none'}")
        options[name] = known[name](value)
    if options.get("ssl_cert_reqs") == "none":
        options.setdefault("ssl_check_hostname", False)  # no name can be checked of what is not looked at
    return options
