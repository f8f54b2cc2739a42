"""Reads a page as far as a stranger needs: elements, their text, and the forms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
_BLOCK = {"br", "td", "th", "p", "div", "li", "dd", "dt", "h1", "h2", "h3", "option"}
_SILENT = {"script", "style", "template"}


@dataclass(slots=True)
class Element:
    """An element, or (with an empty tag) a piece of text."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Element] = field(default_factory=list)
    content: str = ""

    @property
    def text(self) -> str:
        """What is readable in it, white space folded."""
        return " ".join("".join(self._pieces()).split())

    def _pieces(self) -> Iterator[str]:
        yield self.content
        if self.tag not in _SILENT:
            for child in self.children:
                yield from child._pieces()
                yield " " if child.tag in _BLOCK else ""

    def walk(self) -> Iterator[Element]:
        """This element and all below it, in the order of the page."""
        yield self
        for child in self.children:
            yield from child.walk()

    def all(self, tag: str = "", **attributes: str) -> list[Element]:
        """Elements with this tag and these attributes; ``data_testid`` means ``data-testid``."""
        wanted = {name.replace("_", "-"): value for name, value in attributes.items()}
        return [
            element
            for element in self.walk()
            if element.tag
            and (not tag or element.tag == tag)
            and all(element.attributes.get(name) == value for name, value in wanted.items())
        ]

    def first(self, tag: str = "", **attributes: str) -> Element | None:
        """The first of :meth:`all`, or None."""
        found = self.all(tag, **attributes)
        return found[0] if found else None

    @property
    def forms(self) -> list[Form]:
        """The forms in it, with what they would send."""
        return [Form.read(element) for element in self.all("form")]

    @property
    def deed(self) -> Form | None:
        """The first form in it that changes something; a search or a filter is none."""
        return next((form for form in self.forms if form.method == "post"), None)


@dataclass(slots=True)
class Form:
    """A form as a browser would send it untouched."""

    action: str
    method: str
    values: dict[str, str]
    text: str

    @classmethod
    def read(cls, element: Element) -> Form:
        """Take the successful controls of a form (HTML, "constructing the entry list"), buttons left out."""
        values: dict[str, str] = {}
        for control in element.walk():
            name = control.attributes.get("name", "")
            if not name or "disabled" in control.attributes:
                continue
            if control.tag == "input" and _is_sent(control):
                values[name] = control.attributes.get("value", "on" if _is_choice(control) else "")
            elif control.tag == "textarea":
                values[name] = control.text
            elif control.tag == "select":
                options = control.all("option")
                chosen = [option for option in options if "selected" in option.attributes] or options[:1]
                for option in chosen:
                    values[name] = option.attributes.get("value", option.text)
        return cls(
            action=element.attributes.get("action", ""),
            method=element.attributes.get("method", "get").lower(),
            values=values,
            text=element.text,
        )


def _is_choice(control: Element) -> bool:
    return control.attributes.get("type") in {"checkbox", "radio"}


def _is_sent(control: Element) -> bool:
    if control.attributes.get("type") in {"submit", "button", "image", "reset", "file"}:
        return False
    return not _is_choice(control) or "checked" in control.attributes


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Element("document")
        self._open = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(element)
        if tag not in _VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open[-1].children.append(Element(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        for depth in range(len(self._open) - 1, 0, -1):
            if self._open[depth].tag == tag:
                del self._open[depth:]
                return

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(Element("", content=data))


def read(text: str) -> Element:
    """The page as a tree; forgiving like a browser, at least for pages that close what they open."""
    builder = _Builder()
    builder.feed(text)
    builder.close()
    return builder.root
