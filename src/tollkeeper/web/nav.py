"""The menus of every face: what stands where, and which entry is the page that is shown."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of a menu."""

    label: str
    url: str
    icon: str = ""
    current: bool = False
    count: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    """Entries under a heading; an empty label shows none."""

    label: str
    items: tuple[Item, ...]


def _item(request: HttpRequest, label: str, name: str, icon: str = "", *, count: int = 0) -> Item | None:
    """An entry for the address called ``name``; None where no face brings that address."""
    try:
        url = reverse(name)
    except NoReverseMatch:
        return None
    here = request.path
    exact = url in ("/", reverse("console"), reverse("desk"))
    current = here == url if exact else here.startswith(url)
    if name == "console_settings":
        current = current or here.startswith(("/accounts/", "/console/privacy/"))  # tabs of the settings
    return Item(label, url, icon, current, count)


def _present(*items: Item | None) -> tuple[Item, ...]:
    return tuple(item for item in items if item is not None)


def site(request: HttpRequest) -> tuple[Item, ...]:
    """The menu of the public pages."""
    return _present(
        _item(request, _("Plans"), "plans"),
        _item(request, _("Docs"), "docs"),
        _item(request, _("Status"), "status"),
        _item(request, _("Contact"), "contact"),
    )


def legal(request: HttpRequest) -> tuple[Item, ...]:
    """What has to be one click away on every page."""
    return _present(
        _item(request, _("Privacy"), "privacy_policy"),
        _item(request, _("Promises"), "privacy_trust"),
        _item(request, _("Terms"), "terms"),
        _item(request, _("Imprint"), "imprint"),
        _item(request, _("Contact"), "contact"),
        _item(request, _("Docs"), "docs"),
        _item(request, _("Status"), "status"),
    )


def _account(request: HttpRequest) -> tuple[Item, ...]:
    if request.user.is_authenticated:
        return _present(
            _item(request, _("Console"), "console"),
            _item(request, _("Settings"), "console_settings"),
            _item(request, _("Contact"), "contact"),
        )
    return _present(
        _item(request, _("Sign in"), "account_login"),
        _item(request, _("Create an account"), "account_signup"),
        _item(request, _("Contact"), "contact"),
    )


def foot(request: HttpRequest) -> tuple[Group, ...]:
    """The columns at the end of the public pages."""
    groups = (
        Group(
            _("Product"),
            _present(
                _item(request, _("Plans"), "plans"),
                _item(request, _("Docs"), "docs"),
                _item(request, _("Status"), "status"),
            ),
        ),
        Group(_("Account"), _account(request)),
        Group(
            _("Legal"),
            _present(
                _item(request, _("Privacy"), "privacy_policy"),
                _item(request, _("Our promises, checked"), "privacy_trust"),
                _item(request, _("Terms"), "terms"),
                _item(request, _("Imprint"), "imprint"),
            ),
        ),
    )
    return tuple(group for group in groups if group.items)


def console(request: HttpRequest) -> tuple[Group, ...]:
    """The menu of the console."""
    return (
        Group(
            "",
            _present(
                _item(request, _("Overview"), "console", "layout-dashboard"),
                _item(request, _("API keys"), "console_keys", "key-round"),
                _item(request, _("Usage"), "console_usage", "chart-column"),
                _item(request, _("Call log"), "console_calls", "scroll-text"),
                _item(request, _("Webhooks"), "console_webhooks", "webhook"),
                _item(request, _("Docs"), "docs", "book-open"),
            ),
        ),
        Group(
            _("Account"),
            _present(
                _item(request, _("Orders and receipts"), "console_orders", "receipt-text"),
                _item(request, _("Plans"), "console_plans", "package"),
                _item(request, _("Support"), "console_support", "life-buoy"),
                _item(request, _("Settings"), "console_settings", "settings"),
            ),
        ),
    )


def desk(request: HttpRequest) -> tuple[Group, ...]:
    """The menu of the operators' desk."""
    return (
        Group(
            "",
            _present(
                _item(request, _("Today"), "desk", "gauge"),
                _item(request, _("Orders"), "desk_orders", "receipt-text"),
                _item(request, _("Money"), "desk_money", "banknote"),
                _item(request, _("Coupons and codes"), "desk_coupons", "ticket-percent"),
                _item(request, _("Deliveries"), "desk_deliveries", "truck"),
                _item(request, _("Relays"), "desk_relays", "network"),
                _item(request, _("Customers"), "desk_customers", "users"),
                _item(request, _("Letters"), "desk_tickets", "mail"),
                _item(request, _("Privacy"), "desk_privacy", "shield"),
                _item(request, _("Promises"), "desk_promises", "badge-check"),
                _item(request, _("Webhooks"), "desk_webhooks", "webhook"),
                _item(request, _("Backups"), "desk_backups", "archive"),
                _item(request, _("Jobs"), "desk_jobs", "cog"),
            ),
        ),
    )
