"""Requests checked against the SDK's own types: a typo, an unknown enum value or a missing field is refused.

``stripe.params`` are TypedDicts generated from Stripe's API description. Two things make
them strict: extra keys are forbidden, and ``Literal[...] | str`` becomes the literals alone.
"""

from __future__ import annotations

import ast
import collections.abc
import functools
import importlib
import re
import sys
import types
import typing
from pathlib import Path
from typing import Any

import stripe
import typing_extensions
from pydantic import ConfigDict, TypeAdapter, ValidationError
from stripe._request_options import RequestOptions
from stripe._stripe_context import StripeContext

OPTIONS = frozenset(RequestOptions.__annotations__)
NAMES: dict[str, Any] = {
    **vars(typing),
    "Mapping": collections.abc.Mapping,
    "StripeContext": StripeContext,
}
SERVICES = (
    "checkout/_session_service.py",
    "_customer_service.py",
    "_payment_intent_service.py",
    "_charge_service.py",
    "_refund_service.py",
    "_dispute_service.py",
    "_invoice_service.py",
    "_invoice_item_service.py",
    "_coupon_service.py",
    "_subscription_service.py",
    "_event_service.py",
    "_balance_service.py",
    "_balance_transaction_service.py",
    "_webhook_endpoint_service.py",
    "radar/_early_fraud_warning_service.py",
    "billing_portal/_session_service.py",
    "test_helpers/_test_clock_service.py",
)


class BadRequest(Exception):
    """A request that Stripe would refuse: ``param`` names the field, ``code`` the kind."""

    def __init__(self, message: str, param: str = "", code: str = "parameter_invalid") -> None:
        super().__init__(message)
        self.message, self.param, self.code = message, param, code


def _tight(kind: Any, names: dict[str, Any]) -> Any:
    if isinstance(kind, typing.ForwardRef):
        kind = kind.__forward_arg__
    if isinstance(kind, str):
        kind = eval(kind, names)  # noqa: S307 - the SDK's own annotations
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal or not args:
        return kind
    args = tuple(_tight(arg, names) for arg in args)
    if origin in (typing.Union, types.UnionType):
        literal = any(typing.get_origin(arg) is typing.Literal for arg in args)
        return typing.Union[tuple(arg for arg in args if not (literal and arg is str))]  # noqa: UP007
    if origin in (typing_extensions.NotRequired, typing_extensions.Required):
        return origin[args[0]]
    if hasattr(kind, "copy_with"):
        return kind.copy_with(args)
    return origin[args if len(args) > 1 else args[0]]


@functools.cache
def _adapter(shape: Any) -> TypeAdapter[Any]:
    module = sys.modules[shape.__module__]
    names = {**NAMES, **vars(module)}
    for thing in list(vars(module).values()):
        if not typing_extensions.is_typeddict(thing) or thing is RequestOptions:
            continue
        thing.__pydantic_config__ = ConfigDict(extra="forbid", arbitrary_types_allowed=True)
        for option in OPTIONS & set(thing.__annotations__):
            del thing.__annotations__[option]
        for field, kind in list(thing.__annotations__.items()):
            thing.__annotations__[field] = _tight(kind, names)
    adapter: TypeAdapter[Any] = TypeAdapter(shape)
    adapter.rebuild(raise_errors=True, _types_namespace=names)
    return adapter


@functools.cache
def shapes() -> dict[tuple[str, str], tuple[str, str]]:
    """(method, path template with ``{}``) → (module, name) of its params, read from the SDK's services."""
    found: dict[tuple[str, str], tuple[str, str]] = {}
    for name in SERVICES:
        tree = ast.parse((Path(stripe.__file__).parent / name).read_text())
        origin = {
            alias.asname or alias.name: (node.module, alias.name)
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("stripe.params")
            for alias in node.names
        }
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            params = next((arg.annotation for arg in function.args.args if arg.arg == "params"), None)
            match = re.search(r"(\w+Params)\b", ast.unparse(params)) if params is not None else None
            for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
                if getattr(call.func, "attr", "") == "_request" and match and match[1] in origin:
                    route = _route(call)
                    if route:
                        found[route] = origin[match[1]]  # type: ignore[assignment]
    return found


def _route(call: ast.Call) -> tuple[str, str] | None:
    method, path = call.args[0], call.args[1]
    if isinstance(path, ast.Call) and isinstance(path.func, ast.Attribute):
        path = path.func.value  # "/v1/x/{id}".format(...)
    if not (isinstance(method, ast.Constant) and isinstance(path, ast.Constant)):
        return None
    return str(method.value), re.sub(r"\{.*?\}", "{}", str(path.value))


def validate(method: str, template: str, form: dict[str, Any]) -> dict[str, Any]:
    """The request's fields in their own types; raises :class:`BadRequest` naming the first wrong one."""
    where = shapes().get((method, template))
    if where is None:
        if form and set(form) != {"expand"}:
            raise BadRequest("this route takes no parameters", next(iter(form)), "parameter_unknown")
        return form
    try:
        fields = _adapter(getattr(importlib.import_module(where[0]), where[1])).validate_python(form)
    except ValidationError as error:
        first = error.errors()[0]
        param = "".join(f"[{p}]" if i else str(p) for i, p in enumerate(first["loc"]))
        code = {"missing": "parameter_missing", "extra_forbidden": "parameter_unknown"}.get(first["type"])
        raise BadRequest(first["msg"], param, code or "parameter_invalid") from error
    for path in fields.get("expand", ()):
        if path.count(".") > 3:
            raise BadRequest("a path may not be deeper than four levels", "expand")
    return typing.cast("dict[str, Any]", fields)
