"""Static files under names with their hash, compressed, so that a browser may keep them for ever."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from django.http import HttpRequest, HttpResponseBase
from django.middleware.gzip import GZipMiddleware
from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedFiles(CompressedManifestStaticFilesStorage):
    """Names with a hash once ``migrate`` collected the files; until then, and for a file that came
    later, the plain name, which is served too and kept for a minute only."""

    def stored_name(self, name: str) -> str:
        """The name under which a browser asks for ``name``."""
        clean = urlsplit(unquote(name)).path.strip()
        return str(self.hashed_files.get(self.hash_key(clean), name))


class CompressPublic(GZipMiddleware):
    """Compresses pages for visitors without cookies: nothing in them is a secret whose length could
    be measured from outside (BREACH)."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Compress, or leave as it is."""
        return response if request.COOKIES else super().process_response(request, response)
