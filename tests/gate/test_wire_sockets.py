"""Plain connections behave as asyncio's transports do: ends, errors, backpressure, and one turn for all."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from tests.gate.ears import Ear, Ticks
from tests.gate.leaves import load_leaf
from tollkeeper.gate.wire.sockets import Sockets

MIB = 1 << 20


@pytest.fixture(scope="module")
def leaf() -> ModuleType:
    return load_leaf("_sockets")


class Stage:
    def __init__(self, leaf: ModuleType) -> None:
        self.ticks = Ticks()
        self.sockets = Sockets(asyncio.get_running_loop(), self.ticks, leaf)  # type: ignore[arg-type]
        self.mistakes: list[dict[str, Any]] = []
        self.fars: list[socket.socket] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: self.mistakes.append(context))

    def pair(self, heard: Callable[[bytes], None] | None = None) -> tuple[Ear, socket.socket]:
        """A link, and the other end of its connection."""
        with socket.create_server(("127.0.0.1", 0)) as port:
            far = socket.create_connection(port.getsockname())
            near, peer = port.accept()
        far.setblocking(False)
        self.fars.append(far)
        ear = Ear(self.ticks, heard)
        self.sockets.attach(near, ear, peer)  # type: ignore[arg-type]
        return ear, far

    async def close(self) -> None:
        for one in list(self.sockets.open.values()):
            one.abort()
        for far in self.fars:
            far.close()
        await asyncio.sleep(0)
        self.sockets.loop.remove_reader(self.sockets.number)
        self.sockets.epoll.close()


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0)


async def drain(far: socket.socket, enough: Callable[[int], bool]) -> int:
    """Read the far end until it ended or ``enough`` of it came."""
    loop, size = asyncio.get_running_loop(), 0
    while not enough(size):
        try:
            piece = await asyncio.wait_for(loop.sock_recv(far, MIB), 20)
        except ConnectionResetError:
            break
        if not piece:
            break
        size += len(piece)
    return size


def play(story: Callable[[Stage], Any], leaf: ModuleType) -> None:
    async def run() -> None:
        stage = Stage(leaf)
        try:
            await story(stage)
        finally:
            await stage.close()

    asyncio.run(run())


def test_a_turn_reads_all_connections_and_ends_one_tick(leaf: ModuleType) -> None:
    async def story(stage: Stage) -> None:
        pairs = [stage.pair() for _ in range(10)]
        for number, (_, far) in enumerate(pairs):
            far.send(b"%d" % number)
        await until(lambda: all(ear.data for ear, _ in pairs))
        assert [b"".join(ear.data) for ear, _ in pairs] == [b"%d" % number for number in range(10)]
        assert stage.ticks.ended < 10
        assert not stage.ticks.turning
        assert pairs[0][0].transport.get_extra_info("peername") == pairs[0][1].getsockname()

    play(story, leaf)


def test_large_and_small_pieces_arrive_whole(leaf: ModuleType) -> None:
    async def story(stage: Stage) -> None:
        ear, far = stage.pair()
        sent = bytes(range(256)) * (3 * MIB // 256)
        await asyncio.get_running_loop().sock_sendall(far, sent)
        await asyncio.get_running_loop().sock_sendall(far, b"!")
        await until(lambda: sum(map(len, ear.data)) == len(sent) + 1)
        assert b"".join(ear.data) == sent + b"!"

    play(story, leaf)


def test_the_peers_end_ends_the_connection(leaf: ModuleType) -> None:
    async def story(stage: Stage) -> None:
        ear, far = stage.pair()
        far.send(b"last words")
        far.close()
        await until(lambda: "lost" in ear.told)
        assert b"".join(ear.data) == b"last words"
        assert ear.told == ["eof", "lost"]
        assert ear.error is None
        assert stage.sockets.open == {}

    play(story, leaf)


def test_a_reset_is_an_error(leaf: ModuleType) -> None:
    async def story(stage: Stage) -> None:
        ear, far = stage.pair()
        far.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        far.close()
        await until(lambda: "lost" in ear.told)
        assert isinstance(ear.error, ConnectionResetError)

    play(story, leaf)


def test_what_does_not_fit_waits_and_arrives_in_order(leaf: ModuleType) -> None:
    async def story(stage: Stage) -> None:
        ear, far = stage.pair()
        ear.transport.set_write_buffer_limits(256 * 1024)
        pieces = [bytes([number]) * 300_000 for number in range(60)]
        for piece in pieces:
            ear.transport.write(piece)
        assert ear.told == ["wait"]
        unsent = ear.transport.get_write_buffer_size()
        assert 256 * 1024 < unsent <= sum(map(len, pieces))
        got = bytearray()
        while len(got) < sum(map(len, pieces)):
            got += await asyncio.wait_for(asyncio.get_running_loop().sock_recv(far, MIB), 20)
        assert bytes(got) == b"".join(pieces)
        await until(lambda: ear.told == ["wait", "go on"])
        assert ear.transport.get_write_buffer_size() == 0
        far.send(b"still here")
        await until(lambda: ear.data)

    play(story, leaf)


def test_closing_sends_what_waits_first_and_cutting_does_not(leaf: ModuleType) -> None:
    async def story(stage: Stage) -> None:
        for act, whole in (("close", True), ("abort", False)):
            ear, far = stage.pair()
            data = b"x" * (16 * MIB)
            ear.transport.write(data)
            getattr(ear.transport, act)()
            ear.transport.write(b"nothing after the end")
            assert "lost" not in ear.told  # never from within the call
            size = await drain(far, lambda _: False)
            assert (size == len(data)) is whole
            await until(lambda ear=ear: ear.told[-1] == "lost")

    play(story, leaf)


def test_who_is_closing_notices_that_the_peer_is_gone(leaf: ModuleType) -> None:
    async def story(stage: Stage) -> None:
        ear, far = stage.pair()
        ear.transport.write(b"x" * (16 * MIB))
        ear.transport.close()
        far.close()  # with bytes unread, which is a reset
        await until(lambda: "lost" in ear.told)

    play(story, leaf)


def test_our_half_ends_after_what_waits_and_we_read_on(leaf: ModuleType) -> None:
    async def story(stage: Stage) -> None:
        ear, far = stage.pair()
        ear.transport.write(b"x" * (8 * MIB))
        assert ear.transport.can_write_eof()
        ear.transport.write_eof()
        ear.transport.write(b"too late")
        assert await drain(far, lambda _: False) == 8 * MIB
        far.send(b"reply")
        await until(lambda: ear.data == [b"reply"])
        far.close()
        await until(lambda: ear.told[-2:] == ["eof", "lost"])

    play(story, leaf)


def test_who_does_not_read_gets_nothing_and_all_of_it_later(leaf: ModuleType) -> None:
    async def story(stage: Stage) -> None:
        ear, far = stage.pair()
        other, other_far = stage.pair()
        ear.transport.pause_reading()
        far.send(b"one")
        far.close()
        other_far.send(b"meanwhile")
        await until(lambda: other.data)
        assert ear.data == []
        assert ear.told == []
        ear.transport.resume_reading()
        await until(lambda: "lost" in ear.told)
        assert ear.data == [b"one"]

    play(story, leaf)


def test_pausing_another_in_the_same_turn_holds_back_what_was_read(leaf: ModuleType) -> None:
    async def story(stage: Stage) -> None:
        ears: list[Ear] = []

        def pause_others(_: bytes) -> None:
            for ear in ears:
                if not ear.data:
                    ear.transport.pause_reading()

        pairs = [stage.pair(pause_others) for _ in range(5)]
        ears += [ear for ear, _ in pairs]
        for _, far in pairs:
            far.send(b"a")
        await until(lambda: any(ear.data for ear in ears))
        for _, far in pairs:
            far.send(b"b")
        for _ in range(5):
            await asyncio.sleep(0)
        quiet = [ear for ear in ears if not ear.data]
        assert len(quiet) == 4
        for ear in quiet:
            ear.heard = None
            ear.transport.resume_reading()
        stage.ticks.turning = True  # what was held back comes outside of a turn
        await until(lambda: all(b"".join(ear.data) == b"ab" for ear in ears))

    play(story, leaf)


def test_a_descriptor_is_not_used_again_within_a_turn(leaf: ModuleType) -> None:
    async def story(stage: Stage) -> None:
        """The first to hear cuts all others and opens as many anew: none gets the bytes of another."""
        ears: list[Ear] = []
        late: list[tuple[Ear, socket.socket]] = []

        def replace_others(_: bytes) -> None:
            if late:
                return
            for ear in ears:
                if not ear.data:
                    ear.transport.abort()
            late.extend(stage.pair() for _ in ears)

        pairs = [stage.pair(replace_others) for _ in range(8)]
        ears += [ear for ear, _ in pairs]
        for _, far in pairs:
            far.send(b"of the old")
        await until(lambda: late)
        for _ in range(10):
            await asyncio.sleep(0)
        assert [ear.data for ear, _ in late] == [[]] * 8
        assert sum(bool(ear.data) for ear in ears) == 1

    play(story, leaf)


def test_a_mistake_costs_its_own_connection_alone(leaf: ModuleType) -> None:
    async def story(stage: Stage) -> None:
        def stumble(_: bytes) -> None:
            raise LookupError("a mistake")

        bad, bad_far = stage.pair(stumble)
        good, good_far = stage.pair()
        bad_far.send(b"x")
        good_far.send(b"y")
        await until(lambda: good.data and "lost" in bad.told)
        assert [type(one["exception"]) for one in stage.mistakes] == [LookupError]
        assert not stage.ticks.turning
        assert good.told == []

    play(story, leaf)


def test_listening_and_connecting(leaf: ModuleType) -> None:
    async def story(stage: Stage) -> None:
        arrived: list[Ear] = []

        def make() -> Any:
            arrived.append(Ear(stage.ticks))
            return arrived[-1]

        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        listener = await stage.sockets.listen("127.0.0.1", port, make)
        ear = Ear(stage.ticks)
        await stage.sockets.connect("localhost", port, ear)  # type: ignore[arg-type]
        ear.transport.write(b"hello")
        await until(lambda: arrived and arrived[0].data == [b"hello"])
        with pytest.raises(OSError, match="in use"):
            await stage.sockets.listen("127.0.0.1", port, make)
        listener.close()
        with pytest.raises(ConnectionRefusedError):
            await stage.sockets.connect("127.0.0.1", port, Ear(stage.ticks))  # type: ignore[arg-type]

    play(story, leaf)


def test_without_descriptors_nobody_is_let_in_for_a_moment(leaf: ModuleType) -> None:
    async def story(stage: Stage) -> None:
        arrived: list[Ear] = []

        def make() -> Any:
            arrived.append(Ear(stage.ticks))
            return arrived[-1]

        class Port:
            """A port that has run out of descriptors once."""

            def __init__(self, real: socket.socket) -> None:
                self.real, self.tries = real, 0
                self.fileno, self.setblocking, self.close = real.fileno, real.setblocking, real.close

            def accept(self) -> Any:
                self.tries += 1
                if self.tries == 1:
                    raise OSError(24, "Too many open files")
                return self.real.accept()

        listener = await stage.sockets.listen("127.0.0.1", 0, make)
        real = listener.ports.pop()
        stage.sockets.loop.remove_reader(real)
        port = Port(real)
        listener.add(port)  # type: ignore[arg-type]
        with socket.create_connection(real.getsockname()):
            await until(lambda: arrived)
        assert len(stage.mistakes) == 1
        listener.close()

    play(story, leaf)


@pytest.mark.parametrize(
    "arguments", [(1,), (1, "text", 0), (1, b"abc", 4), (1, b"abc", -1), ("1", b"abc", 0)]
)
def test_the_leaf_refuses_what_it_cannot_send(leaf: ModuleType, arguments: tuple[Any, ...]) -> None:
    with pytest.raises((TypeError, ValueError)):
        leaf.send(*arguments)
    assert leaf.send(1 << 20, b"abc", 0) == -9  # no such descriptor
    with pytest.raises(OSError, match="Bad file descriptor"):
        leaf.receive(1 << 20)
