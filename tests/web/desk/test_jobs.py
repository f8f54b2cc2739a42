"""What the worker gave up is seen and can be tried again."""

from __future__ import annotations

import pytest
from django.urls import reverse
from django.utils import timezone

from tests.web.story import Story
from tollkeeper.flows import refund
from tollkeeper.kit.models import Job
from tollkeeper.sales import queries as sales


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


@pytest.mark.parametrize(
    ("kind", "about", "advice"),
    [
        ("fulfil_line", "line_id", "or refund the order"),
        ("reconcile_order", "order_id", "when the provider answers"),
        ("submit_refund", "refund_id", "never goes twice"),
        ("mail_undelivered", "number", "the way mail is sent"),
        ("something_new", "", "Mend what it names"),
    ],
)
def test_a_dead_job_says_what_it_is_about_and_what_to_do(
    story: Story, kind: str, about: str, advice: str
) -> None:
    order = sales.get_order(story.customer_id, story.number)
    (made,) = refund.request_refund(story.number, 100)
    ids = {
        "line_id": order.lines[0].line_id,
        "order_id": order.order_id,
        "refund_id": str(made),
        "number": story.number,
    }
    job = dead_job()
    Job.objects.filter(pk=job.pk).update(kind=kind, payload={about: ids[about]} if about else {})
    for name in ("desk_jobs", "desk"):
        page = story.client(story.staff).get(reverse(name)).content.decode()
        assert advice in page
        assert (reverse("desk_order", args=[story.number]) in page) is bool(about)


def test_a_dead_job_about_what_is_gone_is_shown_too(story: Story) -> None:
    for name in ("line_id", "order_id", "dispute_id"):
        dead_job_about({name: 999_999})
        assert story.client(story.staff).get(reverse("desk_jobs")).status_code == 200


def dead_job_about(payload: dict[str, int]) -> Job:
    Job.objects.filter(key="mail:receipt:99").delete()
    job = dead_job()
    job.payload = payload
    job.save()
    return job
