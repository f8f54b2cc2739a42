"""An upstream that does as it is told: the path of a request names the behaviour."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"
JSON = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


@dataclass
class Seen:
    """A request as the upstream got it, byte by byte."""

    path: str
    head: bytes
    body: bytes


@dataclass
class ScriptedUpstream:
    """Listens on a port of its own; every connection has a thread."""

    port: int = 0
    seen: list[Seen] = field(default_factory=list)
    cut_at: dict[str, float] = field(default_factory=dict)
    """When a connection broke while the upstream was answering, by path."""
    scripts: dict[str, Callable[[socket.socket, Seen], bool]] = field(default_factory=dict)
    """Extra behaviours by path; True keeps the connection."""

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=256)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop listening; the waiting thread is woken first, or it would live on with the old number."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def on(self, path: str) -> list[Seen]:
        """The requests to a path."""
        return [seen for seen in self.seen if seen.path.split("?")[0] == path]

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        path = ""
        try:
            buffer = b""
            while True:
                while b"\r\n\r\n" not in buffer:
                    data = connection.recv(65536)
                    if not data:
                        return
                    buffer += data
                head, _, buffer = buffer.partition(b"\r\n\r\n")
                path = head.split(b" ")[1].decode()
                if path == "/early":
                    connection.sendall(b"HTTP/1.1 413 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    return
                body, buffer = _read_body(connection, head, buffer)
                seen = Seen(path, head, body)
                self.seen.append(seen)
                if not self._answer(connection, seen):
                    return
        except OSError:
            self.cut_at[path] = time.monotonic()
        finally:
            connection.close()

    def _answer(self, connection: socket.socket, seen: Seen) -> bool:
        path = seen.path.split("?")[0]
        if path in self.scripts:
            return self.scripts[path](connection, seen)
        name = path.removeprefix("/")
        script = getattr(self, f"_do_{name}", None)
        if script is not None:
            return bool(script(connection))
        body = seen.body or seen.path.encode()
        head_only = seen.head.startswith(b"HEAD")
        connection.sendall(OK % len(body) + (b"" if head_only else body))
        return True

    def _do_204(self, connection: socket.socket) -> bool:
        connection.sendall(b"HTTP/1.1 204 No Content\r\nContent-Length: 7\r\n\r\n")
        return True

    def _do_304(self, connection: socket.socket) -> bool:
        connection.sendall(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n")
        return True

    def _do_interim(self, connection: socket.socket) -> bool:
        connection.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
        time.sleep(0.05)
        connection.sendall(OK % 2 + b"ok")
        return True

    def _do_die(self, connection: socket.socket) -> bool:
        return False

    def _do_halfdie(self, connection: socket.socket) -> bool:
        connection.sendall(OK % 100 + b"x" * 10)
        time.sleep(0.1)
        return False

    def _do_stale(self, connection: socket.socket) -> bool:
        connection.sendall(OK % 2 + b"ok")
        time.sleep(0.05)
        return False

    def _do_both(self, connection: socket.socket) -> bool:
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"5\r\nhello\r\n0\r\n\r\n"
        )
        return True

    def _do_extra(self, connection: socket.socket) -> bool:
        connection.sendall(OK % 2 + b"okHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")
        return True

    def _do_untilclose(self, connection: socket.socket) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nuntil-close")
        return False

    def _do_split(self, connection: socket.socket) -> bool:
        for byte in OK % 5 + b"hello":
            connection.sendall(bytes([byte]))
            time.sleep(0.001)
        return True

    def _do_chunked(self, connection: socket.socket) -> bool:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n")
        connection.sendall(b"5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nX-Sum: 11\r\n\r\n")
        return True

    def _do_big(self, connection: socket.socket) -> bool:
        connection.sendall(OK % (64 << 20))
        for _ in range(1024):
            connection.sendall(b"z" * 65536)
        return True

    def _do_stream(self, connection: socket.socket) -> bool:
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        for _ in range(60):
            connection.sendall(b"8\r\ndata: x\n\r\n")
            time.sleep(0.05)
        connection.sendall(b"0\r\n\r\n")
        return True

    def _do_slow(self, connection: socket.socket) -> bool:
        time.sleep(0.5)
        connection.sendall(OK % 4 + b"slow")
        return True

    def _do_fail(self, connection: socket.socket) -> bool:
        connection.sendall(b"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops")
        return True

    def _do_missing(self, connection: socket.socket) -> bool:
        connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno")
        return True

    def _do_cookies(self, connection: socket.socket) -> bool:
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nServer: secret/1\r\nRateLimit: x\r\n"
            b"Content-Length: 2\r\n\r\nok"
        )
        return True


def _read_body(connection: socket.socket, head: bytes, buffer: bytes) -> tuple[bytes, bytes]:
    found = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
    if found:
        size = int(found[1])
        while len(buffer) < size:
            data = connection.recv(65536)
            if not data:
                raise OSError("the request broke off")
            buffer += data
        return buffer[:size], buffer[size:]
    if re.search(rb"\r\ntransfer-encoding: *chunked", head, re.IGNORECASE):
        while not re.search(rb"(?:^|\r\n)0\r\n(?:[^\r\n]+\r\n)*\r\n", buffer):
            data = connection.recv(65536)
            if not data:
                raise OSError("the request broke off")
            buffer += data
        end = re.search(rb"(?:^|\r\n)0\r\n(?:[^\r\n]+\r\n)*\r\n", buffer)
        assert end is not None
        return buffer[: end.end()], buffer[end.end() :]
    return b"", buffer
