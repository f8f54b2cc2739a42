"""Mail as text and HTML, into files."""

import email
import email.policy
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.core import mail as django_mail
from django.template.exceptions import TemplateDoesNotExist
from django.test import override_settings

from tollkeeper.kit import mail


@pytest.fixture
def templates(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "mail"
    folder.mkdir()
    (engine,) = settings.TEMPLATES
    with override_settings(TEMPLATES=[{**engine, "DIRS": [tmp_path]}]):
        yield folder


def test_text_becomes_a_page_too(templates: Path) -> None:
    (templates / "hello.txt").write_text(
        "Subject: Hello {{ name }}\n\nLook at https://example.org/a?b=1 now.\n\nBye <b>.\n"
    )
    mail.send("hello", "ada@example.org", {"name": "Ada\nBcc: x@example.org"})
    (message,) = django_mail.outbox
    assert message.subject == "Hello Ada"
    assert message.to == ["ada@example.org"]
    html = str(message.alternatives[0][0])
    assert '<a href="https://example.org/a?b=1"' in html.replace("&amp;", "&")
    assert "Bye &lt;b&gt;." in html
    assert "<style" not in html


def test_an_html_template_of_its_own_wins(templates: Path) -> None:
    (templates / "hello.txt").write_text("Subject: Hello\n\ntext")
    (templates / "hello.html").write_text("<style>p{color:red}</style><p>own</p>")
    html = str(mail.compose("hello", "ada@example.org", {}).alternatives[0][0])
    assert 'style="color: red;"' in html


def test_bad_templates_are_refused(templates: Path) -> None:
    (templates / "bad.txt").write_text("no subject\n\ntext")
    with pytest.raises(mail.BadTemplate):
        mail.send("bad", "ada@example.org")
    with pytest.raises(TemplateDoesNotExist):
        mail.send("missing", "ada@example.org")
    assert django_mail.outbox == []


def test_the_file_backend_writes_whole_files_for_their_owner(templates: Path, tmp_path: Path) -> None:
    (templates / "hello.txt").write_text("Subject: Grüße\n\nHallo")
    folder = tmp_path / "out"
    with override_settings(EMAIL_BACKEND="tollkeeper.kit.mail.FileBackend", MAIL_FOLDER=folder):
        for _ in range(3):
            mail.send("hello", "ada@example.org", attachments=[("r.pdf", b"%PDF", "application/pdf")])
    files = sorted(folder.iterdir())
    assert len(files) == 3
    assert {file.suffix for file in files} == {".eml"}
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)
    message = email.message_from_bytes(files[0].read_bytes(), policy=email.policy.default)
    assert message["Subject"] == "Grüße"
    assert [part.get_content_type() for part in message.walk()][-3:] == [
        "text/plain",
        "text/html",
        "application/pdf",
    ]
