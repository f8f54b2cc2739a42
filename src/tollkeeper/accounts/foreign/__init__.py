"""Migrations of allauth's apps with our sealed columns (``MIGRATION_MODULES``)."""
