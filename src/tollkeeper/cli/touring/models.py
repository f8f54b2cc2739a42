"""The stranger's program that chats: the OpenAI library as it is, or plain HTTP where it cannot be had."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Protocol

import requests

from tollkeeper.cli.touring.browser import Stuck, patiently
from tollkeeper.cli.touring.caller import NOT_YET

MODEL = "heron-1"
"""The model that the tour chats with."""
_TIMEOUT_S = 30.0


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


class Client(Protocol):
    """Chats with one key at one base address (without ``/v1``). Waits only where nothing was served."""

    name: str
    """What it is, with its version."""

    def ask(self, question: str) -> Chatted:
        """A chat answered in one piece."""

    def stream(self, question: str) -> Chatted:
        """A chat answered piece by piece, usage at its end."""

    def refusal(self, question: str, model: str = MODEL) -> tuple[int, str]:
        """Status and code of the refusal of a chat; (200, "") if it is served."""


class Library:
    """The published library, changed in nothing but its proxies and its own retries."""

    def __init__(self, module: ModuleType, base: str, key: str) -> None:
        self.name = f"openai {module.__version__}"
        self._errors = module
        self._client = module.OpenAI(
            api_key=key,
            base_url=f"{base.rstrip('/')}/v1",
            max_retries=0,
            timeout=_TIMEOUT_S,
            http_client=module.DefaultHttpxClient(trust_env=False),
        )

    def _create(self, question: str, model: str = MODEL, **more: Any) -> Any:
        messages = [{"role": "user", "content": question}]
        return self._client.chat.completions.create(model=model, messages=messages, **more)

    def _patiently(self, create: Callable[[], Any]) -> Any:
        def once() -> Any:
            try:
                return create()
            except self._errors.APIStatusError as error:
                if error.status_code in NOT_YET:
                    return None
                raise Stuck(f"the chat was refused: {error.status_code} {str(error)[:200]}") from None
            except self._errors.APIConnectionError as error:
                raise Stuck(f"no answer to a chat ({type(error.__cause__).__name__})") from None

        return patiently(once, "an answer to a chat")

    def ask(self, question: str) -> Chatted:
        """See the protocol."""
        answer = self._patiently(lambda: self._create(question))
        return Chatted(answer.choices[0].message.content, 1, answer.usage.model_dump())

    def stream(self, question: str) -> Chatted:
        """See the protocol."""
        options = {"include_usage": True}
        chunks = self._patiently(lambda: self._create(question, stream=True, stream_options=options))
        return _gathered((chunk.model_dump() for chunk in chunks), lambda: True)

    def refusal(self, question: str, model: str = MODEL) -> tuple[int, str]:
        """See the protocol."""
        try:
            self._create(question, model)
        except self._errors.APIStatusError as error:
            return error.status_code, str(error.code or "")
        except self._errors.APIConnectionError as error:
            raise Stuck(f"no answer to a chat ({type(error.__cause__).__name__})") from None
        return 200, ""


class Plain:
    """The same by plain HTTP and server-sent events."""

    name = "plain HTTP"

    def __init__(self, base: str, key: str) -> None:
        self._base = base.rstrip("/")
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers.update({"Authorization": f"Bearer {key}", "User-Agent": "tour/1"})

    def _send(self, question: str, model: str = MODEL, **more: Any) -> requests.Response:
        body = {"model": model, "messages": [{"role": "user", "content": question}], **more}
        address = f"{self._base}/v1/chat/completions"
        try:
            return self._session.post(address, json=body, timeout=_TIMEOUT_S, stream=bool(more.get("stream")))
        except requests.RequestException as error:
            raise Stuck(f"no answer to a chat ({type(error).__name__})") from None

    def _served(self, question: str, **more: Any) -> requests.Response:
        def once() -> requests.Response | None:
            answer = self._send(question, **more)
            return None if answer.status_code in NOT_YET else answer

        answer = patiently(once, "an answer to a chat")
        if answer.status_code != 200:
            raise Stuck(f"the chat was refused: {answer.status_code} {answer.text[:200]}")
        return answer

    def ask(self, question: str) -> Chatted:
        """See the protocol."""
        answer = self._served(question).json()
        return Chatted(answer["choices"][0]["message"]["content"], 1, answer["usage"])

    def stream(self, question: str) -> Chatted:
        """See the protocol."""
        answer = self._served(question, stream=True, stream_options={"include_usage": True})
        kind = answer.headers.get("Content-Type", "")
        if not kind.startswith("text/event-stream"):
            raise Stuck(f"a stream was asked for, and the answer is {kind!r}")
        ended: list[bool] = []

        def events() -> Iterable[Mapping[str, Any]]:
            for raw in answer.iter_lines():
                data = raw.decode().removeprefix("data:").strip() if raw.startswith(b"data:") else ""
                if data == "[DONE]":
                    ended.append(True)
                    return
                if data:
                    yield json.loads(data)

        return _gathered(events(), lambda: bool(ended))

    def refusal(self, question: str, model: str = MODEL) -> tuple[int, str]:
        """See the protocol."""
        answer = self._send(question, model)
        try:
            error = {} if answer.ok else answer.json().get("error") or {}
        except ValueError:
            raise Stuck(f"refused with {answer.status_code}, and not in JSON: {answer.text[:200]}") from None
        return answer.status_code, str(error.get("code") or "")


def _gathered(events: Iterable[Mapping[str, Any]], whole: Callable[[], bool]) -> Chatted:
    pieces, usage = [], None
    for event in events:
        usage = event.get("usage") or usage
        pieces += [text for c in event.get("choices") or () if (text := c["delta"].get("content"))]
    if not whole() or usage is None or not pieces:
        raise Stuck(f"a stream of {len(pieces)} pieces: end {whole()}, usage {usage}")
    return Chatted("".join(pieces), len(pieces), dict(usage))


def price_micro(usage: Mapping[str, Any], book: Mapping[str, Any]) -> int:
    """What a call costs by the book (micro-units per million tokens), rounded up once."""
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    total = (
        (usage["prompt_tokens"] - cached) * book["input"]
        + cached * book["cache_read"]
        + usage["completion_tokens"] * book["output"]
    )
    return -(-total // 1_000_000) + book["per_call"]
