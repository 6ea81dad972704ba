"""What the tests stand on: real servers on free ports, processes that leave nothing behind, patience."""

from support.ports import free_port, is_listening
from support.postgres import PostgresServer
from support.processes import Process
from support.redis_server import RedisServer, StartRedis
from support.waiting import eventually, until

__all__ = [
    "PostgresServer",
    "Process",
    "RedisServer",
    "StartRedis",
    "eventually",
    "free_port",
    "is_listening",
    "until",
]
