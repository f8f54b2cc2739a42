"""Sell access to an API and keep every promise made to the people who buy."""

__version__ = "0.1.0"
