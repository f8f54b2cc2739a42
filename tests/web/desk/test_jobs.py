"""What the worker gave up is seen and can be tried again."""

from __future__ import annotations

from django.urls import reverse
from django.utils import timezone

from tests.web.story import Story
from tollkeeper.kit.models import Job


def dead_job() -> Job:
    now = timezone.now()
    return Job.objects.create(
        kind="mail_receipt",
        key="mail:receipt:99",
        purpose="order",
        payload={"document_id": 99},
        state="dead",
        run_at=now,
        attempts=8,
        created_at=now,
        finished_at=now,
        error_class="OSError",
        error_place="mail.py:10",
    )


def test_trying_again_and_giving_up(story: Story) -> None:
    desk = story.client(story.staff)
    job = dead_job()
    page = desk.get(reverse("desk_jobs")).content.decode()
    assert "mail:receipt:99" in page
    assert "OSError" in page
    desk.post(reverse("desk_job_retry", args=[job.pk]))
    job.refresh_from_db()
    assert (job.state, job.attempts) == ("ready", 0)
    page = desk.post(reverse("desk_job_retry", args=[job.pk]), follow=True).content.decode()
    assert "not dead any more" in page
    desk.post(reverse("desk_job_cancel", args=[job.pk]))
    job.refresh_from_db()
    assert job.state == "cancelled"


def test_today_counts_what_needs_a_person(story: Story) -> None:
    dead_job()
    page = story.client(story.staff).get(reverse("desk")).content.decode()
    assert "Jobs given up" in page
    assert "mail:receipt:99" in page
