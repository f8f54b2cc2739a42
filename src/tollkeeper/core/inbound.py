"""Reading a mail that somebody wrote to us: who, what about, which words; and what it is to be taken for.

What is longer than :data:`MOST_BYTES` is cut, and a file that was cut is not taken for one.
"""

from __future__ import annotations

import email
import email.policy
import hashlib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from email.message import EmailMessage, Message
from email.utils import getaddresses
from html.parser import HTMLParser
from itertools import islice

MOST_BYTES = 22 * 1024 * 1024
"""Three files of 5 MiB as mails carry them, and words."""
MOST_PARTS = 60
SMALL_PICTURE = 16 * 1024
"""Pictures within the words that are smaller are logos below a name, and no files."""
MAX_TEXT = 9_000
_REFERENCE = re.compile(r"\b([RT]-[0-9A-F]{10})\b")
_FORWARDED = re.compile(r"^\s*(fwd?|wg|tr|rv|转发)\s*[:：]", re.IGNORECASE)
_INNER = re.compile(
    r"^[>*\s]*(?:from|von|de|发件人)\s*\**\s*[:：]\s*(.+)$",
    re.IGNORECASE | re.MULTILINE,
)
_QUOTED = re.compile(
    r"^(?:>|on .{5,120} wrote:|am .{5,120} schrieb|-{2,}\s*original message|在.{2,80}写道)", re.IGNORECASE
)
_KINDS: tuple[tuple[str, str], ...] = (
    ("opt_out", r"do not sell|don.t sell|opt[\s-]?out|不要出售|选择退出"),
    (
        "withdraw",
        r"withdraw\w* (?:my )?consent|revoke my consent|einwilligung\b.{0,40}widerruf|撤回.{0,6}同意",
    ),
    ("portability", r"portab|art(?:icle|\.)?\s*20\b|可携带"),
    (
        "erase",
        r"\bdelet(?:e|ion)|\beras(?:e|ure)|remove (?:all )?my (?:data|account)"
        r"|right to be forgotten|forget me"
        r"|l[öo]sch|effac|supprim|borrar|elimin|删除|注销|抹去",
    ),
    (
        "access",
        r"cop(?:y|ies) of (?:all )?(?:of )?(?:my|the) |access to my|subject access|\bdsar\b"
        r"|art(?:icle|\.)?\s*15\b|what (?:personal )?(?:data|information) (?:do )?you"
        r"|auskunft|droit d.acc[èe]s|derecho de acceso|副本|查阅",
    ),
    ("rectify", r"\brectif|correct(?:ion)? (?:of )?my|berichtig|更正"),
    ("restrict", r"restrict\w* (?:the )?(?:processing|use)|einschr[äa]nk|limitation du traitement|限制处理"),
    ("object", r"\bi object|objection|widersprech|widerspruch|je m.oppose|反对"),
    ("complaint", r"complain|beschwerde|plainte|投诉"),
)
_CALIFORNIA = re.compile(r"california|\bccpa\b|\bcpra\b|加州", re.IGNORECASE)
_PRIVACY = re.compile(
    r"gdpr|dsgvo|rgpd|personal data|my data|privacy|datenschutz|donn[ée]es personnelles"
    r"|datos personales|个人数据|个人信息|隐私",
    re.IGNORECASE,
)


_NO_FILES = ("application/pkcs7-signature", "application/pgp-signature", "text/calendar", "text/x-amp-html")
"""What programs hang below a mail by themselves."""


@dataclass(frozen=True, slots=True)
class File:
    """A file that hangs below a mail; ``content`` is None where the mail was cut within it."""

    name: str
    content: bytes | None


@dataclass(frozen=True, slots=True)
class Inbound:
    """A mail as far as we look at it. ``machine`` says why it is not a person's letter, else empty."""

    id: str
    sender: str
    to: frozenset[str]
    subject: str
    text: str
    machine: str
    references: tuple[str, ...]
    chinese: bool
    files: tuple[File, ...] = ()


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self._hidden += tag in ("script", "style", "head")
        if tag in ("p", "br", "div", "tr", "li", "blockquote"):
            self.parts.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style", "head") and self._hidden > 0

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.parts.append(data)


def _body(message: EmailMessage) -> str:
    part = message.get_body(("plain", "html"))
    if part is None:
        return ""
    try:
        text = str(part.get_content())
    except (LookupError, UnicodeError, ValueError, KeyError):
        raw = part.get_payload(decode=True)
        text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else ""
    if part.get_content_type() == "text/html":
        reader = _Text()
        reader.feed(text)
        text = "".join(reader.parts)
    return re.sub(r"\n{3,}", "\n\n", text.replace("\x00", "").replace("\r\n", "\n")).strip()


def _header(message: EmailMessage, name: str) -> str:
    try:
        return " ".join(str(message.get(name, "")).split())
    except (ValueError, IndexError, AttributeError):  # headers that no parser understands
        return ""


def _files(message: EmailMessage, cut: bool) -> Iterator[File]:
    """Attached files, and pictures within the words that are no logos; of a cut mail the last is lost."""
    parts = [part for part in islice(message.walk(), MOST_PARTS) if not part.is_multipart()]
    for number, part in enumerate(parts):
        kind, name = part.get_content_type(), _name(part)
        attached = part.get_content_disposition() == "attachment"
        picture = part.get_content_maintype() == "image"
        if kind in _NO_FILES or not (attached or picture or (name and part.get_content_maintype() != "text")):
            continue
        raw = part.get_payload(decode=True)
        content = raw if isinstance(raw, bytes) else b""
        if not attached and picture and len(content) < SMALL_PICTURE:
            continue
        lost = cut and number == len(parts) - 1
        yield File(name or f"file.{part.get_content_subtype()}", None if lost else content)


def _name(part: Message) -> str:
    try:
        return " ".join(str(part.get_filename() or "").split())[:200]
    except (ValueError, LookupError, TypeError):
        return ""


def _machine(message: EmailMessage, sender: str) -> str:
    automatic = _header(message, "Auto-Submitted").lower()
    if automatic and automatic != "no":
        return "automatic"
    if _header(message, "Precedence").lower() in ("bulk", "list", "junk") or message.get("List-Id"):
        return "list"
    if _header(message, "X-Spam-Flag").lower().startswith("yes"):
        return "spam"
    local = sender.partition("@")[0]
    if not sender or local in ("mailer-daemon", "postmaster", "noreply", "no-reply", "bounce"):
        return "automatic"
    return ""


def read_mail(raw: bytes, own: Collection[str] = ()) -> Inbound:
    """Read a mail; never raises. ``own`` are addresses of ours: what one of us forwards is its writer's."""
    message = email.message_from_bytes(raw[:MOST_BYTES], policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    sender = _addresses(_header(message, "From"))[:1]
    subject, text = _header(message, "Subject"), _body(message)
    writer = sender[0] if sender else ""
    if writer in own and _FORWARDED.match(subject):
        inner = [one for found in _INNER.findall(text)[:3] for one in _addresses(found)]
        writer = next((one for one in inner if one not in own), "")
    machine = _machine(message, writer) or ("own" if writer in own else "")
    identity = _header(message, "Message-ID") or hashlib.sha256(raw).hexdigest()
    heads = " ".join(_header(message, name) for name in ("In-Reply-To", "References"))
    to = filter(None, (_header(message, name) for name in ("To", "Cc", "Delivered-To")))
    return Inbound(
        identity,
        writer,
        frozenset(_addresses(", ".join(to))),
        subject[:300],
        text[:MAX_TEXT],
        machine,
        tuple(dict.fromkeys(_REFERENCE.findall(f"{subject} {heads}"))),
        bool(re.search(r"[\u4e00-\u9fff]", subject + text)),
        tuple(_files(message, len(raw) >= MOST_BYTES)),
    )


def _addresses(text: str) -> list[str]:
    return [address.lower() for _, address in getaddresses([text]) if "@" in address and len(address) < 255]


def kind_of(mail: Inbound) -> str | None:
    """What right a mail exercises; None where it speaks of none. Quoted older mails are not looked at."""
    own_words: list[str] = []
    for line in mail.text.splitlines():
        if _QUOTED.match(line.strip()) and own_words:
            break
        own_words.append(line)
    said = f"{mail.subject}\n" + "\n".join(own_words)
    for kind, pattern in _KINDS:
        if re.search(pattern, said, re.IGNORECASE):
            return kind
    return "other" if _PRIVACY.search(said) else None


def regime_of(mail: Inbound) -> str:
    """Which law a mail speaks of: ``ccpa`` where California is named, else ``gdpr``."""
    return "ccpa" if _CALIFORNIA.search(f"{mail.subject}\n{mail.text}") else "gdpr"
