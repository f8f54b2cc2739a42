"""A plugin is found by its file's name."""

from tollkeeper.kit import plugins


def test_names_are_modules_of_the_package() -> None:
    assert "stripe" in plugins.names("tollkeeper.payments.providers")
    assert not any(name.startswith("_") for name in plugins.names("tollkeeper.payments.providers"))


def test_an_empty_or_missing_package_has_none() -> None:
    assert plugins.names("tollkeeper.payments.nothing") == ()
