"""The data set of the sample API: invented people and posts, the same on every machine.

Everything follows from one seed; nothing is read from the clock. Ids are decimal
strings that grow with time, as those of large services do.
"""

from __future__ import annotations

import datetime as dt
import random
import re
import tomllib
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

SEED = 20_261_101
USERS = 200
POSTS = 3_000
END = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
"""The newest post is a little older than this."""
SPAN = dt.timedelta(days=240)

_EPOCH_MS = 1_500_000_000_000
_SLOT = re.compile(r"\{([a-z_]+)\}")
_START = re.compile(r"^[a-z]|(?<=[.!?] )[a-z]")
_TAG = re.compile(r"#(\w+)")
_MENTION = re.compile(r"@(\w+)")


@dataclass(frozen=True, slots=True)
class User:
    id: str
    username: str
    name: str
    bio: str
    location: str
    created_at: str
    verified: bool
    followers: tuple[str, ...]
    """Ids, most recent follower first."""
    following: tuple[str, ...]
    posts_count: int


@dataclass(frozen=True, slots=True)
class Post:
    id: str
    author_id: str
    text: str
    created_at: str
    lang: str
    source: str
    conversation_id: str
    in_reply_to: str | None
    hashtags: tuple[str, ...]
    mentions: tuple[str, ...]
    reply_count: int
    repost_count: int
    like_count: int
    view_count: int


@dataclass(frozen=True, slots=True)
class DataSet:
    """All records, newest first, with the look-ups the API needs."""

    users: tuple[User, ...]
    posts: tuple[Post, ...]
    by_user_id: dict[str, User] = field(repr=False)
    by_username: dict[str, User] = field(repr=False)
    by_post_id: dict[str, Post] = field(repr=False)
    by_author: dict[str, tuple[Post, ...]] = field(repr=False)
    replies: dict[str, tuple[Post, ...]] = field(repr=False)


@cache
def load() -> DataSet:
    """Make the data set (about 0.15 s), once in a process."""
    words = tomllib.loads((Path(__file__).parent / "words.toml").read_text(encoding="utf-8"))
    chance = random.Random(SEED)
    people = _people(chance, words)
    drafts = _drafts(chance, words, people)
    return _finish(chance, people, drafts)


def _id(moment: dt.datetime, serial: int) -> str:
    return str(((int(moment.timestamp() * 1000) - _EPOCH_MS) << 18) | (serial & 0x3FFFF))


def _stamp(moment: dt.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _fill(chance: random.Random, words: dict[str, Any], topic: dict[str, Any], text: str) -> str:
    def choose(match: re.Match[str]) -> str:
        name = match[1]
        choices = topic.get(name) or words["slots"].get(name) or words[name]
        return str(chance.choice(choices))

    while _SLOT.search(text):
        text = _SLOT.sub(choose, text)
    return _START.sub(lambda match: match[0].upper(), text)


def _people(chance: random.Random, words: dict[str, Any]) -> list[dict[str, Any]]:
    topics = list(words["topics"])
    weights = [1 if words["topics"][name].get("lang") else 3 for name in topics]
    names: dict[str, None] = {}
    while len(names) < USERS:
        names.setdefault(f"{chance.choice(words['first'])} {chance.choice(words['last'])}")
    people = []
    for serial, name in enumerate(names):
        first, last = name.split()
        shape = chance.choice(
            [f"{first}_{last}", f"{first}{last}", f"{last}{chance.randint(10, 99)}", f"the{first}"]
        )
        main = chance.choices(topics, weights)[0]
        joined = END - SPAN - dt.timedelta(seconds=chance.randint(0, 900 * 86_400))
        people.append(
            {
                "id": _id(joined, serial),
                "username": shape.lower(),
                "name": name,
                "bio": _fill(
                    chance, words, words["topics"][main], chance.choice(words["topics"][main]["bio"])
                ),
                "location": chance.choice(words["place"]),
                "created_at": _stamp(joined),
                "verified": chance.random() < 0.15,
                "topics": [main, chance.choices(topics, weights)[0]],
                "fame": chance.paretovariate(1.1),
            }
        )
    seen: Counter[str] = Counter()
    for person in people:
        seen[person["username"]] += 1
        if seen[person["username"]] > 1:
            person["username"] += str(seen[person["username"]])
    return people


def _drafts(
    chance: random.Random, words: dict[str, Any], people: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Posts in the order of time; a third of them answer an earlier one."""
    moments = sorted(END - SPAN * chance.random() ** 1.3 for _ in range(POSTS))
    fame = [person["fame"] ** 0.5 for person in people]
    drafts: list[dict[str, Any]] = []
    said: set[str] = set()
    for serial, moment in enumerate(moments):
        author = chance.choices(people, fame)[0]
        parent = _talked_about(chance, drafts[-60:]) if drafts and chance.random() < 0.33 else None
        parent = parent if parent is not None and parent["lang"] == "en" else None
        topic = {} if parent else words["topics"][chance.choice(author["topics"])]
        for _ in range(12):  # people seldom say the very same thing twice
            text = _say(chance, words, topic, parent)
            if text not in said:
                break
        said.add(text)
        identity = _id(moment, serial)
        drafts.append(
            {
                "id": identity,
                "author": author,
                "username": author["username"],
                "text": text,
                "created_at": _stamp(moment),
                "lang": topic.get("lang", "en"),
                "source": chance.choice(words["source"]),
                "parent": parent,
                "conversation_id": parent["conversation_id"] if parent else identity,
            }
        )
    return drafts


def _say(
    chance: random.Random, words: dict[str, Any], topic: dict[str, Any], parent: dict[str, Any] | None
) -> str:
    if parent is not None:
        return f"@{parent['username']} " + _fill(chance, words, topic, chance.choice(words["reply"]))
    text = _fill(chance, words, topic, chance.choice(topic["post"]))
    return f"{text} #{topic['tag']}" if chance.random() < 0.45 else text


def _talked_about(chance: random.Random, recent: list[dict[str, Any]]) -> dict[str, Any]:
    """An earlier post: the better known its author, the more answers it gets."""
    return chance.choices(recent, [draft["author"]["fame"] for draft in recent])[0]


def _finish(chance: random.Random, people: list[dict[str, Any]], drafts: list[dict[str, Any]]) -> DataSet:
    answers = Counter(draft["parent"]["id"] for draft in drafts if draft["parent"])
    written = Counter(draft["author"]["id"] for draft in drafts)
    fans: dict[str, list[str]] = defaultdict(list)
    idols: dict[str, list[str]] = defaultdict(list)
    weights = [person["fame"] for person in people]
    for person in people:
        wanted = chance.randint(3, 60)
        for idol in {p["id"]: None for p in chance.choices(people, weights, k=wanted) if p is not person}:
            idols[person["id"]].append(idol)
            fans[idol].append(person["id"])
    users = tuple(
        User(
            **{
                name: p[name]
                for name in ("id", "username", "name", "bio", "location", "created_at", "verified")
            },
            followers=tuple(reversed(fans[p["id"]])),
            following=tuple(reversed(idols[p["id"]])),
            posts_count=written[p["id"]],
        )
        for p in sorted(people, key=lambda person: -int(person["id"]))
    )
    posts = []
    for draft in reversed(drafts):
        likes = int(draft["author"]["fame"] * chance.paretovariate(1.3)) + answers[draft["id"]]
        posts.append(
            Post(
                **{
                    name: draft[name]
                    for name in ("id", "text", "created_at", "lang", "source", "conversation_id")
                },
                author_id=draft["author"]["id"],
                in_reply_to=draft["parent"]["id"] if draft["parent"] else None,
                hashtags=tuple(_TAG.findall(draft["text"])),
                mentions=tuple(_MENTION.findall(draft["text"])),
                reply_count=answers[draft["id"]],
                repost_count=likes // 7,
                like_count=likes,
                view_count=likes * chance.randint(12, 40) + chance.randint(5, 90),
            )
        )
    by_author, replies = defaultdict(list), defaultdict(list)
    for post in posts:
        by_author[post.author_id].append(post)
        if post.in_reply_to:
            replies[post.in_reply_to].append(post)
    return DataSet(
        users=users,
        posts=tuple(posts),
        by_user_id={user.id: user for user in users},
        by_username={user.username: user for user in users},
        by_post_id={post.id: post for post in posts},
        by_author={author: tuple(found) for author, found in by_author.items()},
        replies={parent: tuple(found) for parent, found in replies.items()},
    )
