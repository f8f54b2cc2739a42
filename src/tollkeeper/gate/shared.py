"""Limits shared by several gates: the questions to Valkey (or Redis), and what happens without it.

One script decides over all limits of a customer at once, by Valkey's own clock. Calls
that wait are asked for together; slices for busy customers are taken ahead of need
(:mod:`tollkeeper.gate.allowance`). While Valkey does not answer, each gate applies its
fair share of every limit, and says so. Money never stands here.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from typing import TYPE_CHECKING, Any, cast

from redis.asyncio import Redis
from redis.exceptions import NoScriptError, RedisError

from tollkeeper.gate import admission
from tollkeeper.gate.allowance import Allowance, Verdict, Waiter
from tollkeeper.gate.options import BadOptions

if TYPE_CHECKING:
    from tollkeeper.gate.call import Call
    from tollkeeper.gate.wire.client import Client
    from tollkeeper.gate.wire.engine import Engine

log = logging.getLogger("tollkeeper.gate.shared")
ANSWER_S = 0.25
"""Valkey that does not answer within this time is lost for now."""
BEAT_S = 1.0
"""Between two signs of life; also how soon a Valkey that is back is found."""
TICK_S = 0.05
WAIT_S = 2.0
BUSY_S = 0.12
"""Slots that lie idle at another gate are back after this long."""
BATCH = 64
GONE_US = 10_000_000
"""A gate that gave no sign for so long is not counted."""

SCRIPT = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local gate, held, ttl, returned = 'g:' .. ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local count = tonumber(ARGV[5])
local stood, elsewhere, last = {}, 0, now
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local name, value = all[i], all[i + 1]
  if string.sub(name, 1, 2) == 'g:' then
    local slots, ends = string.match(value, '(%d+) (%d+)')
    if tonumber(ends) <= now then
      redis.call('HDEL', KEYS[1], name)
    elseif name ~= gate then
      elsewhere = elsewhere + tonumber(slots)
      last = math.max(last, tonumber(ends))
    end
  else
    stood[name] = tonumber(value)
  end
end
local arrivals, rooms, at = {}, {}, 6
for n = 1, count do
  local name, debt = ARGV[at], tonumber(ARGV[at + 3])
  rooms[n] = tonumber(ARGV[at + 1])
  local known = stood[name]
  if known == nil or (returned == '1' and known < now + debt) then known = now + debt end
  arrivals[n] = known - tonumber(ARGV[at + 2])
  if now <= tonumber(ARGV[at + 5]) then arrivals[n] = arrivals[n] - tonumber(ARGV[at + 4]) end
  at = at + 6
end
local width = 3 + count
local candidates = math.floor((#ARGV - at + 1) / width)
local chosen, by_slots, taken = 0, 0, arrivals
for candidate = candidates, 1, -1 do
  local from = at + (candidate - 1) * width
  local slots, bound, slice = tonumber(ARGV[from]), tonumber(ARGV[from + 1]), tonumber(ARGV[from + 2])
  local fits, after = true, {}
  for n = 1, count do
    local room = rooms[n]
    if slice > 0 then room = room / 2 end
    local cost = tonumber(ARGV[from + 2 + n])
    after[n] = arrivals[n]
    if cost > 0 then
      after[n] = math.max(arrivals[n], now + slice) + cost
      if after[n] - now > room then fits = false end
    end
  end
  if fits and bound > 0 and slots > 0 and elsewhere + held + slots > bound then
    fits = false
    if slice == 0 then by_slots = 1 end
  elseif not fits and slice == 0 then
    by_slots = 0
  end
  if fits then
    chosen, taken = candidate, after
    held = held + slots
    break
  end
end
for n = 1, count do
  local name = ARGV[6 + (n - 1) * 6]
  if taken[n] > now then
    redis.call('HSET', KEYS[1], name, string.format('%.0f', taken[n]))
    last = math.max(last, taken[n])
  else
    redis.call('HDEL', KEYS[1], name)
  end
end
if held > 0 then
  redis.call('HSET', KEYS[1], gate, string.format('%d %.0f', held, now + ttl))
  last = math.max(last, now + ttl)
else
  redis.call('HDEL', KEYS[1], gate)
end
redis.call('PEXPIRE', KEYS[1], math.ceil((last - now) / 1000) + 1000)
local answer = {chosen, by_slots, elsewhere, now}
for n = 1, count do answer[4 + n] = math.max(0, taken[n] - now) end
return answer
"""
BEAT = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]))
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('PEXPIRE', KEYS[1], math.ceil(tonumber(ARGV[2]) / 1000))
return redis.call('ZCARD', KEYS[1])
"""


class SharedSpeed:
    """One per gate. ``gates`` is how many there were when Valkey answered last; 0 before it ever did."""

    def __init__(self, engine: Engine, url: str, gate: str, pepper: bytes) -> None:
        """Raises :class:`BadOptions`; connects later."""
        self.engine = engine
        self.gates = 0
        self.lost = True
        self.trouble = "not asked yet"
        self.asked = 0
        self.failures = 0
        self._gate = gate.encode()
        # One Valkey may serve several installations: none meets the others' keys, or can guess them.
        space = hashlib.blake2b(pepper, digest_size=6, person=b"speed").hexdigest()
        self._space = f"tollkeeper:{space}:"
        try:
            self._valkey: Redis = Redis.from_url(
                url, socket_timeout=ANSWER_S, socket_connect_timeout=ANSWER_S, max_connections=4
            )
        except ValueError as error:
            raise BadOptions(f"REDIS_URL cannot be used: {error}") from None
        self._due: dict[Allowance, None] = {}
        self._active: dict[Allowance, None] = {}
        self._working = False
        self._sha = ""
        self._ticked = engine.clock()
        self._beating: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to tell Valkey that this gate lives."""
        self._beating = self.engine.loop.create_task(self._beat())
        self.engine.loop.call_later(TICK_S, self._tick)

    # ------------------------------------------------------------------ the way of a call

    def holds_back(self, client: Client, call: Call, cleared: bool) -> bool:
        """False if the call may be judged now; else it is answered, or parked until Valkey has answered."""
        key = call.key
        if self.lost or not (key.limits or key.concurrency):
            return False
        engine, customer = self.engine, key.customer
        allowance = customer.allowance
        if allowance is None:
            allowance = customer.allowance = Allowance(customer)
        if not cleared and not key.purse.can_hold(call.held, engine.wall_us):
            return False  # units first: what waits for them would wait with limits in its hands
        if cleared or allowance.cover(key, call.costs, engine.mono_us):
            allowance.calls += 1
            allowance.peak = max(allowance.peak, customer.in_flight + 1)
            allowance.usual = (key.limits, call.costs)
            if not cleared and not allowance.asking and allowance.runs_low():
                allowance.ahead = True
                self._ask(allowance)
            return False
        if allowance.refused_here(key, call.costs, engine.mono_us):
            client.answer(engine.limit_refusal(client, key, call.costs, admission.LIMITED))
            return True
        client.wait(WAIT_S)
        allowance.waiting.append(Waiter(client, client.call_id, key, call.costs))
        self._ask(allowance)
        return True

    def _ask(self, allowance: Allowance) -> None:
        self._active[allowance] = None
        self._due[allowance] = None
        if not self._working:
            self._working = True
            self.engine.start_task(self._work())

    async def _work(self) -> None:
        try:
            while self._due and not self.lost:
                batch = list(self._due)[:BATCH]
                for allowance in batch:
                    del self._due[allowance]
                    allowance.asking = True
                await self._ask_for(batch)
        finally:
            self._working = False

    async def _ask_for(self, batch: list[Allowance]) -> None:
        engine = self.engine
        self._turn()
        asks = [allowance.ask(engine.mono_us) for allowance in batch]
        try:
            replies = await self._evaluate(batch, [ask.arguments(self._gate) for ask in asks])
        except (RedisError, OSError, TimeoutError) as error:
            for allowance, ask in zip(batch, asks, strict=True):
                allowance.asking = False
                allowance.waiting[:0] = ask.waiters
            self._lose(error)
            return
        self.asked += len(batch)
        self._turn()
        for allowance, ask, reply in zip(batch, asks, replies, strict=True):
            allowance.asking = False
            self._tell(allowance, allowance.heard(ask, reply, engine.mono_us))
            if allowance.waiting:
                self._due[allowance] = None

    async def _evaluate(self, batch: list[Allowance], arguments: list[list[bytes | int]]) -> list[list[int]]:
        for attempt in range(2):
            if not self._sha:
                self._sha = str(await self._valkey.script_load(SCRIPT))
            async with self._valkey.pipeline(transaction=False) as pipeline:
                for allowance, words in zip(batch, arguments, strict=True):
                    name = f"{self._space}{allowance.customer.customer_id}"
                    pipeline.evalsha(self._sha, 1, name, *cast("list[Any]", words))
                replies = await pipeline.execute(raise_on_error=False)
            for reply in replies:
                if isinstance(reply, NoScriptError) and not attempt:  # it was started anew
                    self._sha = ""
                elif isinstance(reply, Exception):
                    raise reply
            if self._sha:
                return replies
        raise RedisError("the script is forgotten at once")

    def _tell(self, allowance: Allowance, verdict: Verdict) -> None:
        engine = self.engine
        for waiter in verdict.granted:
            waiter.client.cleared(waiter.call_id)
        for waiter in verdict.limited:
            self._refuse(waiter, admission.LIMITED)
        later = [waiter for waiter in verdict.busy if verdict.elsewhere and not waiter.again]
        for waiter in verdict.busy:
            if waiter.again or not verdict.elsewhere:
                self._refuse(waiter, admission.BUSY)
            waiter.again = True
        if later:
            engine.loop.call_later(BUSY_S, self._again, allowance, later)
        for waiter in verdict.undecided:
            if allowance.refused_here(waiter.key, waiter.costs, engine.mono_us):
                self._refuse(waiter, admission.LIMITED)
            else:
                allowance.waiting.append(waiter)

    def _refuse(self, waiter: Waiter, verdict: int) -> None:
        client = waiter.client
        if client.waits_for(waiter.call_id):
            client.answer(self.engine.limit_refusal(client, waiter.key, waiter.costs, verdict))

    def _again(self, allowance: Allowance, waiters: list[Waiter]) -> None:
        self._turn()
        if self.lost:
            self._let_go(waiters)
        else:
            allowance.waiting += waiters
            self._ask(allowance)

    def _turn(self) -> None:
        if self.engine.stale:
            self.engine.begin_tick()

    # ------------------------------------------------------------- beside the calls

    def _tick(self) -> None:
        """Twenty times a second: slices that ended, slots nobody uses, slots to be renewed."""
        self._turn()
        engine = self.engine
        elapsed = max(0.001, engine.now - self._ticked)
        self._ticked = engine.now
        for allowance in list(self._active):
            if allowance.tick(engine.mono_us, elapsed) and not self.lost and not allowance.asking:
                self._ask(allowance)
            elif allowance.idle(engine.mono_us):
                del self._active[allowance]
        engine.loop.call_later(TICK_S, self._tick)

    async def _beat(self) -> None:
        while True:
            try:
                gates = await self._valkey.eval(BEAT, 1, f"{self._space}gates", self._gate, GONE_US)
            except (RedisError, OSError, TimeoutError) as error:
                self._lose(error)
            else:
                self._find(int(gates))
            await asyncio.sleep(BEAT_S)

    def _lose(self, error: Exception) -> None:
        """Valkey does not answer: from now on the fair share of this gate, until it does."""
        self.trouble = f"{type(error).__name__}: {error}"
        self.failures += 1
        self._sha = ""
        if self.lost:
            return
        self.lost = True
        self._turn()
        log.warning("Valkey is lost (%s): this gate applies its share, 1/%d, of limits", error, self.gates)
        self.engine.directory.share_out(self.gates, self.engine.mono_us)
        self._due.clear()
        for allowance in list(self._active):
            waiters, allowance.waiting = allowance.waiting, []
            self._let_go(waiters)

    def _let_go(self, waiters: list[Waiter]) -> None:
        for waiter in waiters:
            if waiter.client.waits_for(waiter.call_id):
                waiter.client.unpark("")

    def _find(self, gates: int) -> None:
        self.gates = gates
        if not self.lost:
            return
        log.info("Valkey answers; limits are shared by %d gates", gates)
        self._turn()
        self.lost = False
        self.trouble = ""
        self.engine.directory.share_out(1, self.engine.mono_us)

    async def close(self) -> None:
        """The gate ends: slots go back."""
        if self._beating is not None:
            self._beating.cancel()
        if not self.lost:
            try:
                for allowance in [allowance for allowance in self._active if allowance.slots]:
                    name = f"{self._space}{allowance.customer.customer_id}"
                    await self._valkey.hdel(name, (b"g:" + self._gate).decode())
                await self._valkey.zrem(f"{self._space}gates", self._gate)
            except (RedisError, OSError, TimeoutError) as error:
                log.info("slots could not be given back (%s); they end by themselves", error)
        await self._valkey.aclose()
