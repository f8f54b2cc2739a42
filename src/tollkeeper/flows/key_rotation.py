"""A rotation of keys that was begun is brought to its end, whatever was killed in between."""

from __future__ import annotations

import datetime as dt

from django.utils import timezone

from tollkeeper.kit import rotation
from tollkeeper.kit.jobs import Context, schedule


@schedule("go_on_rotating_keys", every_s=900, purpose="security")
def go_on_rotating_keys(context: Context) -> None:
    """See :func:`go_on`."""
    go_on(timezone.now())


def go_on(now: dt.datetime) -> list[str]:
    """Take each rotation that is going on one step further; the names of keys that were destroyed."""
    done = []
    for name in rotation.NAMES:
        found = rotation.state(name)
        if found.since is None or (now - found.since).total_seconds() < rotation.SETTLE_S:
            continue
        if found.step == "begun":
            rotation.use(name)
        else:
            rotation.rewrite(name)
            done += [name] if rotation.finish(name) else []
    return done
