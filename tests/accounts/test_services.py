"""Verbs and reads about people."""

import pytest
from allauth.account.models import EmailAddress
from django.core import mail

from tollkeeper.accounts import queries, services
from tollkeeper.accounts.models import Customer, User
from tollkeeper.core.refusal import Refused
from tollkeeper.kit import sealed

pytestmark = pytest.mark.django_db(databases=["default", "keystore"], transaction=True)

PASSWORD = "correct-h0rse battery"


def test_an_operator_is_made_once_and_then_given_a_new_password() -> None:
    first = services.add_operator("Op@Example.org", PASSWORD)
    assert User.objects.get().is_staff
    assert services.add_operator("op@example.org", PASSWORD + "2") == first
    assert User.objects.get().check_password(PASSWORD + "2")
    assert EmailAddress.objects.get().verified


def test_a_customer_may_become_an_operator() -> None:
    person = services.create_person("ada@example.org", PASSWORD)
    assert services.add_operator("ada@example.org", PASSWORD) == person.pk
    assert User.objects.get().is_staff


@pytest.mark.parametrize(
    ("email", "password"), [("nonsense", PASSWORD), ("op@example.org", "short"), ("", PASSWORD)]
)
def test_bad_input_is_refused_and_nothing_is_written(email: str, password: str) -> None:
    with pytest.raises(Refused):
        services.add_operator(email, password)
    assert User.objects.count() == 0


def test_an_address_is_taken_once() -> None:
    services.create_person("ada@example.org", PASSWORD)
    with pytest.raises(Refused):
        services.create_person("ADA@example.org", PASSWORD)


def test_a_person_becomes_a_customer_on_first_need() -> None:
    person = services.create_person("ada@example.org", None)
    first = services.ensure_customer(person)
    assert services.ensure_customer(person) == first
    assert queries.customer_for(person) == Customer.objects.get(pk=first)
    assert queries.email_for(first) == "ada@example.org"
    assert queries.email_for(first + 1) is None


def test_names_shown_are_nicknames_or_pseudonyms_never_addresses() -> None:
    person = services.create_person("ada@example.org", None)
    assert queries.display_name(person.pk) == str(person)
    services.set_nickname(person.pk, "  Ada   L. ")
    assert queries.display_name(person.pk) == "Ada L."
    services.set_nickname(person.pk, "")
    assert User.objects.get().nickname is None
    with pytest.raises(Refused):
        services.set_nickname(person.pk, "x" * 41)


def test_addresses_of_a_list_come_with_few_queries(django_assert_max_num_queries: object) -> None:
    ids = [
        services.ensure_customer(services.create_person(f"p{number}@example.org", None))
        for number in range(12)
    ]
    sealed.forget_keys()
    with django_assert_max_num_queries(2), django_assert_max_num_queries(2, using="keystore"):  # type: ignore[operator]
        found = queries.emails_for(ids)
    assert sorted(found.values()) == sorted(f"p{number}@example.org" for number in range(12))


def test_an_erased_person_gets_no_mail() -> None:
    person = services.create_person("ada@example.org", None)
    customer = services.ensure_customer(person)
    sealed.destroy(person.pk)
    assert queries.email_for(customer) is None
    assert queries.find_email(person.pk) is None
    assert services.write_to(customer, "anything") is False
    assert mail.outbox == []
