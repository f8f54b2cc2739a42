"""Files sent with a form: read into memory, looked at, and never written to a temporary file."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpResponse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext_lazy

from tollkeeper.support import services as support
from tollkeeper.support.queries import FileRow


class ManyFilesInput(forms.FileInput):
    """A file input that takes several."""

    allow_multiple_selected = True


class ManyFiles(forms.FileField):
    """Several files as ``support.CleanFile``; an empty list if none was chosen."""

    def __init__(self, **options: Any) -> None:
        kinds = ",".join(f".{ending}" for ending in support.TYPES)
        options.setdefault("required", False)
        options.setdefault("label", gettext_lazy("Files"))
        options.setdefault(
            "help_text", gettext_lazy("Up to three: pictures, PDF or text, 5 MiB each. Stored encrypted.")
        )
        super().__init__(widget=ManyFilesInput(attrs={"multiple": True, "accept": kinds}), **options)

    def clean(self, data: Any, initial: Any = None) -> list[support.CleanFile]:
        """Raises ``ValidationError`` for a file that cannot be taken."""
        chosen: list[UploadedFile] = [one for one in (data or []) if one]
        if len(chosen) > support.MAX_FILES:
            raise forms.ValidationError(gettext_lazy("At most three files can be sent at once."))
        made = []
        for one in chosen:
            try:
                made.append(support.clean_file(one.name or "", one.read()))
            except support.BadFile as bad:
                raise forms.ValidationError(str(bad)) from None
        return made


def download(row: FileRow, content: bytes) -> HttpResponse:
    """A file of a ticket: always saved, never shown by the browser."""
    response = HttpResponse(content, content_type="application/octet-stream")
    header = content_disposition_header(True, row.name)
    response["Content-Disposition"] = header or "attachment"
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["Cache-Control"] = "no-store"
    return response
