"""The stranger's chat client: an OpenAI-compatible address, spoken to over plain HTTP."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import requests

from tollkeeper.cli.touring.browser import Stuck, patiently

MODEL = "heron-1"
_NOT_YET = {401, 502, 503, 504}
"""A key that travels to the gate, a gate that starts again: worth another try."""


@dataclass(frozen=True, slots=True)
class Chatted:
    """An answer, and the usage that the upstream reported with it."""

    text: str
    pieces: int
    usage: dict[str, Any]

    @property
    def told(self) -> str:
        """The tokens, for people."""
        return f"{self.usage['prompt_tokens']} tokens in, {self.usage['completion_tokens']} out"


class ModelClient:
    """Chats with one key at one base address (without ``/v1``)."""

    def __init__(self, base: str, key: str) -> None:
        self._base = base.rstrip("/")
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.update({"Authorization": f"Bearer {key}", "User-Agent": "tour/1"})

    def send(self, question: str, model: str = MODEL, **more: Any) -> requests.Response:
        """One call; tried again only where it was certainly not served."""
        body = {"model": model, "messages": [{"role": "user", "content": question}], **more}

        def once() -> requests.Response | None:
            try:
                answer = self._session.post(
                    f"{self._base}/v1/chat/completions",
                    json=body,
                    timeout=30,
                    stream=bool(more.get("stream")),
                )
            except requests.RequestException as error:
                raise Stuck(f"no answer to a chat ({type(error).__name__})") from None
            return None if answer.status_code in _NOT_YET else answer

        return patiently(once, "an answer to a chat")

    def ask(self, question: str) -> Chatted:
        """A chat answered in one piece."""
        answer = _good(self.send(question)).json()
        return Chatted(answer["choices"][0]["message"]["content"], 1, answer["usage"])

    def stream(self, question: str) -> Chatted:
        """A chat answered piece by piece, usage at its end."""
        answer = _good(self.send(question, stream=True, stream_options={"include_usage": True}))
        kind = answer.headers.get("Content-Type", "")
        if not kind.startswith("text/event-stream"):
            raise Stuck(f"a stream was asked for, and the answer is {kind!r}")
        pieces, usage, ended = [], None, False
        for line in answer.iter_lines(decode_unicode=True):
            if not line.startswith("data:"):
                continue
            data = line[5:].strip()
            if data == "[DONE]":
                ended = True
                break
            event = json.loads(data)
            usage = event.get("usage") or usage
            pieces += [text for c in event.get("choices") or () if (text := c["delta"].get("content"))]
        if not ended or usage is None or not pieces:
            raise Stuck(f"a stream of {len(pieces)} pieces: end {ended}, usage {usage}")
        return Chatted("".join(pieces), len(pieces), usage)


def _good(answer: requests.Response) -> requests.Response:
    if answer.status_code != 200:
        raise Stuck(f"the chat was refused: {answer.status_code} {answer.text[:200]}")
    return answer


def price_micro(usage: dict[str, Any], book: dict[str, int]) -> int:
    """What a call costs by the book (micro-units per million tokens), rounded up once."""
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    total = (
        (usage["prompt_tokens"] - cached) * book["input"]
        + cached * book["cache_read"]
        + usage["completion_tokens"] * book["output"]
    )
    return -(-total // 1_000_000)
