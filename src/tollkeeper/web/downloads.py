"""A file as the answer to a request."""

from __future__ import annotations

from django.http import HttpResponse
from django.utils.http import content_disposition_header


def as_file(content: str | bytes, name: str, kind: str) -> HttpResponse:
    """Something of the media type ``kind`` to be kept as ``name`` by who asked."""
    answer = HttpResponse(content, content_type=kind)
    answer["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    return answer
