"""The sample API itself. Only callers who know the upstream credential are answered: the gate."""

from __future__ import annotations

import datetime as dt
import hmac
import os
from collections import Counter
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from samples.posts import search
from samples.posts.answers import Problem, answer, choice, number, page, problem
from samples.posts.data import END, DataSet, Post, User, load

DEMO_KEY = "demo-posts-key"
HEADER = "X-Upstream-Key"
MAX_LOOKUP = 100
MAX_BODY = 64 * 1024


def show_user(user: User) -> dict[str, Any]:
    """A person as JSON."""
    shown = {
        name: getattr(user, name) for name in ("id", "username", "name", "bio", "location", "created_at")
    }
    metrics = {"followers": len(user.followers), "following": len(user.following), "posts": user.posts_count}
    return {**shown, "verified": user.verified, "metrics": metrics}


def show_post(post: Post, data: DataSet, include: str = "") -> dict[str, Any]:
    """A post as JSON; ``include="author"`` puts the person in."""
    names = ("id", "author_id", "text", "created_at", "lang", "source", "conversation_id", "in_reply_to")
    shown: dict[str, Any] = {name: getattr(post, name) for name in names}
    shown["hashtags"], shown["mentions"] = post.hashtags, post.mentions
    shown["metrics"] = {
        "replies": post.reply_count,
        "reposts": post.repost_count,
        "likes": post.like_count,
        "views": post.view_count,
    }
    if include == "author":
        shown["author"] = show_user(data.by_user_id[post.author_id])
    return shown


def _posts(request: Request, posts: tuple[Post, ...]) -> Response:
    include = choice(request, "include", ("", "author"))
    found, meta = page(request, posts)
    return answer(request, {"data": [show_post(post, load(), include) for post in found], "meta": meta})


def _users(request: Request, users: tuple[User, ...]) -> Response:
    found, meta = page(request, users)
    return answer(request, {"data": [show_user(user) for user in found], "meta": meta})


def _user(request: Request) -> User:
    user = load().by_user_id.get(request.path_params["id"])
    if user is None:
        raise Problem(404, "user_not_found", "there is no user with this id")
    return user


def _post(request: Request) -> Post:
    post = load().by_post_id.get(request.path_params["id"])
    if post is None:
        raise Problem(404, "post_not_found", "there is no post with this id")
    return post


async def list_users(request: Request) -> Response:
    return _users(request, load().users)


async def get_user(request: Request) -> Response:
    return answer(request, {"data": show_user(_user(request))})


async def get_user_by_username(request: Request) -> Response:
    user = load().by_username.get(request.path_params["username"].lower())
    if user is None:
        raise Problem(404, "user_not_found", "there is no user of this name")
    return answer(request, {"data": show_user(user)})


async def list_user_posts(request: Request) -> Response:
    return _posts(request, load().by_author.get(_user(request).id, ()))


async def list_followers(request: Request) -> Response:
    data = load()
    return _users(request, tuple(data.by_user_id[key] for key in _user(request).followers))


async def list_following(request: Request) -> Response:
    data = load()
    return _users(request, tuple(data.by_user_id[key] for key in _user(request).following))


async def list_posts(request: Request) -> Response:
    return _posts(request, load().posts)


async def get_post(request: Request) -> Response:
    include = choice(request, "include", ("", "author"))
    return answer(request, {"data": show_post(_post(request), load(), include)})


async def list_replies(request: Request) -> Response:
    return _posts(request, load().replies.get(_post(request).id, ()))


async def lookup_posts(request: Request) -> Response:
    if request.headers.get("content-type", "").split(";")[0].strip() != "application/json":
        raise Problem(415, "not_json", "send the body as application/json")
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY:
            raise Problem(413, "too_large", f"a body may have {MAX_BODY} bytes at most")
    try:
        ids = msgspec.json.decode(body, type=dict[str, list[str]])["ids"]
    except (msgspec.DecodeError, KeyError):
        raise Problem(400, "bad_body", 'send {"ids": ["…", …]}', "ids") from None
    if not 1 <= len(ids) <= MAX_LOOKUP:
        raise Problem(422, "bad_value", f"ids must hold 1 to {MAX_LOOKUP} ids", "ids")
    data, wanted = load(), list(dict.fromkeys(ids))
    found = [show_post(data.by_post_id[key], data) for key in wanted if key in data.by_post_id]
    return answer(request, {"data": found, "missing": [key for key in wanted if key not in data.by_post_id]})


async def search_posts(request: Request) -> Response:
    data = load()
    terms = search.parse(request.query_params.get("q", ""))
    since, until = _day(request, "since"), _day(request, "until")
    found = [
        post for post in data.posts if since <= post.created_at < until and search.matches(post, terms, data)
    ]
    if choice(request, "sort", ("recent", "top")) == "top":
        found.sort(key=lambda post: -post.like_count)
    return _posts(request, tuple(found))


async def search_users(request: Request) -> Response:
    query = request.query_params.get("q", "").strip().casefold()
    if not 1 <= len(query) <= search.MAX_QUERY:
        raise Problem(422, "bad_value", f"q must have 1 to {search.MAX_QUERY} characters", "q")
    fields = ("username", "name", "bio", "location")
    return _users(
        request,
        tuple(
            user for user in load().users if any(query in getattr(user, name).casefold() for name in fields)
        ),
    )


async def trends(request: Request) -> Response:
    days = number(request, "days", 7, 1, 30)
    limit = number(request, "limit", 10, 1, 50)
    start = (END - dt.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ")
    counts = Counter(tag for post in load().posts if post.created_at >= start for tag in post.hashtags)
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:limit]
    return answer(request, {"data": [{"hashtag": tag, "posts": count} for tag, count in ranked]})


async def health(request: Request) -> Response:
    return JSONResponse({"service": "posts", "ok": True})


def _day(request: Request, name: str) -> str:
    text = request.query_params.get(name)
    if text is None:
        return "" if name == "since" else "9999"
    try:
        return dt.date.fromisoformat(text).isoformat()
    except ValueError:
        raise Problem(422, "bad_value", f"{name} must be a day like 2026-09-30", name) from None


class Guard:
    """Answers nobody but the holder of the upstream credential (``POSTS_API_KEY``)."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.key = os.environ.get("POSTS_API_KEY", DEMO_KEY).encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith("/v1/"):
            given = dict(scope["headers"]).get(HEADER.lower().encode(), b"")
            if not hmac.compare_digest(given, self.key):
                refusal = problem(
                    Problem(401, "upstream_credential", f"this API is called through its gate ({HEADER})")
                )
                await refusal(scope, receive, send)
                return
        await self.app(scope, receive, send)


def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return problem(error)


def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = 405 if error.status_code == 405 else 404
    code = "method_not_allowed" if status == 405 else "not_found"
    refusal = problem(Problem(status, code, f"{request.method} {request.url.path} is not part of this API"))
    refusal.headers.update(error.headers or {})
    return refusal


ROUTES = [
    Route("/", health),
    Route("/healthz", health),
    Route("/v1/users", list_users),
    Route("/v1/users/by/username/{username}", get_user_by_username),
    Route("/v1/users/{id}", get_user),
    Route("/v1/users/{id}/posts", list_user_posts),
    Route("/v1/users/{id}/followers", list_followers),
    Route("/v1/users/{id}/following", list_following),
    Route("/v1/posts", list_posts),
    Route("/v1/posts/lookup", lookup_posts, methods=["POST"]),
    Route("/v1/posts/{id}", get_post),
    Route("/v1/posts/{id}/replies", list_replies),
    Route("/v1/search/posts", search_posts),
    Route("/v1/search/users", search_users),
    Route("/v1/trends", trends),
]


def make_app() -> ASGIApp:
    """The API as an ASGI application; reads ``POSTS_API_KEY`` once."""
    return Guard(Starlette(routes=ROUTES, exception_handlers={Problem: _on_problem, HTTPException: _on_http}))


app = make_app()
