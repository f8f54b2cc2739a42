"""The endpoints of the Data Rights Protocol 1.0: a thin adapter before ``flows.agent_requests``."""

from __future__ import annotations

from collections.abc import Callable

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.shortcuts import render
from django.urls import path
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_safe

from tollkeeper.core.drp import BadMessage
from tollkeeper.flows import agent_requests as flow
from tollkeeper.web.throttle import allow

MAX_BODY = 64 * 1024


def _answer(request: HttpRequest, do: Callable[[bytes], dict[str, str]]) -> HttpResponse:
    if not allow(request, "drp", 120, 3600):
        return _problem(429, "Too many requests; try again in an hour.")
    try:
        body = request.body
        if len(body) > MAX_BODY:
            return _problem(413, "The message is larger than any message is.")
        return JsonResponse(do(body))
    except (RequestDataTooBig, UnreadablePostError):
        return _problem(413, "The message is larger than any message is, or ended early.")
    except BadMessage as no:
        return _problem(no.status, str(no), fatal=no.fatal and no.status in (400, 403))
    except flow.BadRegister:
        return _problem(503, "The register of agents cannot be read; the shop was told.")


def _problem(status: int, message: str, *, fatal: bool = False) -> HttpResponse:
    """An error as the protocol wants it (3.06)."""
    return JsonResponse({"code": str(status), "message": message, "fatal": fatal}, status=status)


def _agent(request: HttpRequest) -> flow.Agent:
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    agent = flow.find_agent(token.strip()) if kind.lower() == "bearer" else None
    if agent is None:
        raise BadMessage("no agent has this token", 403)
    return agent


@csrf_exempt
@never_cache
@require_http_methods(["POST"])
def exercise(request: HttpRequest) -> HttpResponse:
    """POST /v1/data-rights-request/"""
    return _answer(request, lambda body: flow.exercise(_agent(request), body))


@csrf_exempt
@never_cache
@require_http_methods(["GET", "DELETE"])
def one(request: HttpRequest, number: str) -> HttpResponse:
    """GET and DELETE /v1/data-rights-request/<id>"""
    if request.method == "DELETE":
        return _answer(request, lambda body: flow.revoke(_agent(request), number, body))
    return _answer(request, lambda body: flow.status(_agent(request), number))


@csrf_exempt
@never_cache
@require_http_methods(["GET", "POST"])
def agent(request: HttpRequest, agent_id: str) -> HttpResponse:
    """POST and GET /v1/agent/<id>: a token for who signs with the agent's key; whether it still holds."""
    if request.method == "POST":
        given = _answer(request, lambda body: {"agent-id": agent_id, "token": flow.set_up(agent_id, body)})
        refused = given.status_code in (400, 403)  # which is told without a word (2.05.1)
        return HttpResponse(status=403) if refused else given

    def known(body: bytes) -> dict[str, str]:
        if _agent(request).id != agent_id:
            raise BadMessage("this token is another agent's", 403)
        return {}

    return _answer(request, known)


@require_safe
def mailed(request: HttpRequest) -> HttpResponse:
    """GET /privacy/request/mailed/: where an agent leads its person: the link is in their mailbox."""
    return render(request, "policy/mailed.html")


urlpatterns = [
    path("v1/data-rights-request", exercise, name="drp_exercise_bare"),
    path("v1/data-rights-request/", exercise, name="drp_exercise"),
    path("v1/data-rights-request/<str:number>", one, name="drp_request"),
    path("v1/data-rights-request/<str:number>/", one, name="drp_request_slash"),
    path("v1/agent/<str:agent_id>", agent, name="drp_agent"),
    path("v1/agent/<str:agent_id>/", agent, name="drp_agent_slash"),
    path("privacy/request/mailed/", mailed, name="privacy_mailed"),
]
