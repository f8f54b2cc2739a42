"""The data set is the same everywhere and hangs together."""

from __future__ import annotations

import hashlib

from samples.posts.data import END, POSTS, USERS, load

FINGERPRINT = "9e7ab4d1b23c1c76"


def test_the_same_on_every_machine() -> None:
    data = load()
    text = "\n".join(f"{post.id} {post.author_id} {post.like_count} {post.text}" for post in data.posts)
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == FINGERPRINT


def test_size_and_variety() -> None:
    data = load()
    assert (len(data.users), len(data.posts)) == (USERS, POSTS)
    assert len(data.by_username) == USERS
    assert len(data.by_post_id) == POSTS
    assert len({post.text for post in data.posts}) > POSTS * 0.7
    assert {post.lang for post in data.posts} == {"en", "de", "es", "zh"}
    assert not any("{" in post.text or "}" in post.text for post in data.posts)


def test_links_lead_somewhere() -> None:
    data = load()
    for post in data.posts:
        assert post.author_id in data.by_user_id
        assert data.by_user_id[post.author_id].created_at < post.created_at < END.isoformat()
        if post.in_reply_to:
            parent = data.by_post_id[post.in_reply_to]
            assert parent.created_at <= post.created_at
            assert parent.conversation_id == post.conversation_id
        assert post.reply_count == len(data.replies.get(post.id, ()))
        assert all(name in data.by_username for name in post.mentions)
    for user in data.users:
        assert user.id not in user.following
        assert all(user.id in data.by_user_id[other].followers for other in user.following)
        assert user.posts_count == len(data.by_author.get(user.id, ()))


def test_newest_first() -> None:
    data = load()
    ids = [int(post.id) for post in data.posts]
    assert ids == sorted(ids, reverse=True)
