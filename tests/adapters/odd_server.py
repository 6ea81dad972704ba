"""A server that answers every request with the same bytes, whatever they are."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


def reply(status: str, body: bytes = b"", *headers: str) -> bytes:
    """An HTTP answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


@dataclass
class OddServer:
    """Sends `answer`, in one piece or a byte every `drip` seconds, and closes; without one it holds on."""

    answer: bytes | None = None
    drip: float = 0.0
    port: int = 0
    requests: list[bytes] = field(default_factory=list[bytes])
    """What was asked, up to the end of the headers."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            self.requests.append(await reader.readuntil(b"\r\n\r\n"))
            if self.answer is None:
                await reader.read()
            elif self.drip:
                for number in self.answer:
                    writer.write(bytes([number]))
                    await writer.drain()
                    await asyncio.sleep(self.drip)
            else:
                writer.write(self.answer)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def odd_server(answer: bytes | None = None, *, drip: float = 0.0) -> AsyncGenerator[OddServer]:
    odd = OddServer(answer, drip)
    server = await asyncio.start_server(odd.serve, "127.0.0.1", 0)
    odd.port = server.sockets[0].getsockname()[1]
    try:
        yield odd
    finally:
        server.close()
