"""Template filters that dress Django's form fields in the house's classes."""

from __future__ import annotations

from django import template
from django.forms import BoundField, CheckboxInput, RadioSelect, widgets
from django.utils.safestring import SafeString

register = template.Library()


@register.filter
def is_checkbox(field: BoundField) -> bool:
    """True for a single tick box, whose label stands behind it."""
    return isinstance(field.field.widget, CheckboxInput)


@register.filter
def dressed(field: BoundField) -> SafeString:
    """The field's widget with class, description and error state set."""
    attrs: dict[str, str | bool] = {}
    if not isinstance(field.field.widget, CheckboxInput | RadioSelect | widgets.CheckboxSelectMultiple):
        own = field.field.widget.attrs.get("class", "")
        attrs["class"] = f"input {own}".strip()
    described = [f"{field.auto_id}_helptext"] if field.help_text else []
    if field.errors:
        attrs["aria-invalid"] = "true"
        described.append(f"{field.auto_id}_error")
    if described:
        attrs["aria-describedby"] = " ".join(described)
    return field.as_widget(attrs=attrs)
