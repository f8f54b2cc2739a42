"""The policy, rendered: one tree in, the same bytes out, every time.

``page``, ``record``, ``california`` and ``changes`` turn a policy into a
:class:`~tollkeeper.privacy.rendering.document.Document` (headings, paragraphs, facts,
tables); ``html`` and ``markdown`` write any document; ``notices`` makes the short notice
at a form, ``wellknown`` the files of ``/.well-known/``. Nothing here reads the clock, the
database or a setting. The fixed words stand in ``phrases/<language>.toml``.
"""
