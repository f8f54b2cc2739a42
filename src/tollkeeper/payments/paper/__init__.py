"""Documents on paper: PDF/A-3 by typst, from the immutable snapshot, with the figures as XML inside."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import typst
from django.conf import settings

from tollkeeper.core.einvoice import factur_x
from tollkeeper.payments.paper import facturx
from tollkeeper.payments.paper.words import WORDS, texts
from tollkeeper.payments.queries import Receipt

FOLDER = pathlib.Path(__file__).parent
FONTS = ("Noto Sans", "Libertinus Serif", "Noto Sans CJK SC", "Source Han Sans SC", "WenQuanYi Zen Hei")
"""The first that is there is taken, letter by letter; typst brings Libertinus along."""


class NoFont(Exception):
    """This machine has no font for what the document says; the text names the missing letters."""


def render(receipt: Receipt, buyer: dict[str, str] | None = None) -> bytes:
    """The PDF/A-3b of a document; the same document gives the same bytes.

    ``buyer`` are the buyer's own details, where the document is about them. Raises
    :class:`NoFont` where the language of the document needs a font that is not installed.
    """
    facts = texts(receipt.facts, receipt.kind, receipt.number, buyer or {})
    return _compiled(json.dumps({**facts, "fonts": FONTS}, sort_keys=True), _xml(receipt, buyer or {}))


def unwritable(languages: Iterable[str]) -> list[str]:
    """Those of the languages for whose documents no font is there; ``HOME/fonts`` is looked into, too."""
    return [name for name in languages if not _writable(WORDS.get(name.split("-")[0], WORDS["en"]))]


def _writable(words: dict[str, str]) -> bool:
    text = json.dumps("".join(sorted(set("".join(words.values())))), ensure_ascii=False)
    fonts = "(" + ", ".join(json.dumps(name) for name in FONTS) + ")"
    source: Any = f"#set text(font: {fonts})\n#{text}".encode()
    try:
        typst.compile(source, root=str(FOLDER), font_paths=_fonts(), pdf_standards=["a-3b"], timestamp=0)
    except typst.TypstError as error:
        if "could not be displayed" in str(error):
            return False
        raise
    return True


def _fonts() -> list[str]:
    """Where an operator may put fonts without touching the system."""
    return [str(settings.ENV.home / "fonts")]


def _xml(receipt: Receipt, buyer: dict[str, str]) -> str:
    return factur_x({**receipt.facts, "kind": receipt.kind, "number": receipt.number}, buyer)


@lru_cache(maxsize=64)
def _compiled(facts: str, xml: str) -> bytes:
    issued = json.loads(facts)["stamp"]
    inputs: Any = {"facts": facts, "xml": xml}
    source: Any = (FOLDER / "document.typ").read_bytes()
    try:
        made = typst.compile(
            source,
            root=str(FOLDER),
            sys_inputs=inputs,
            font_paths=_fonts(),
            pdf_standards=["a-3b"],
            timestamp=issued,
        )
    except typst.TypstError as error:
        if "could not be displayed" in str(error):
            raise NoFont(str(error)) from error
        raise
    return facturx.named(bytes(made)) if xml else bytes(made)
