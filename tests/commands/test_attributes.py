"""`flux getattr`, `setattr` and `lsattr` in a session."""

import json

from tests.session import Session


def test_getattr_prints_the_value(session: Session) -> None:
    assert session.flux("getattr", "size") == (0, "4\n", "")


def test_getattr_names_an_attribute_that_is_not_there(session: Session) -> None:
    done = session.flux("getattr", "nosuch")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("flux-getattr: nosuch: ")


def test_setattr_changes_an_attribute(session: Session) -> None:
    assert session.flux("setattr", "log-level", "6") == (0, "", "")
    assert session.flux("getattr", "log-level").out == "6\n"
    session.flux("setattr", "log-level", "7")


def test_setattr_refuses_what_does_not_change_unless_forced(session: Session) -> None:
    done = session.flux("setattr", "hostname", "elsewhere")
    assert done.code == 1
    assert done.err.startswith("flux-setattr: hostname: ")
    assert session.flux("setattr", "--force", "hostname", "elsewhere") == (0, "", "")
    assert session.flux("getattr", "hostname").out == "elsewhere\n"


def test_setattr_refuses_a_value_that_does_not_fit(session: Session) -> None:
    done = session.flux("setattr", "log-stderr-level", "loud")
    assert done.code == 1
    assert "log-stderr-level" in done.err
    assert "loud" in done.err


def test_lsattr_lists_names_in_order(session: Session) -> None:
    names = session.flux("lsattr").out.splitlines()
    assert names == sorted(names)
    assert {"rank", "size", "local-uri", "version", "security.owner"} <= set(names)


def test_lsattr_shows_values_in_a_column(session: Session) -> None:
    assert f"{'size':<40}4" in session.flux("lsattr", "-v").out.splitlines()


def test_lsattr_has_json_for_programs(session: Session) -> None:
    assert json.loads(session.flux("lsattr", "--json").out)["size"] == "4"
