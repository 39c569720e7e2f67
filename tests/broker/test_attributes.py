"""A broker's attributes."""

from collections.abc import Callable
from errno import EINVAL, ENOENT, EPERM

import pytest

from flux.broker.attributes import IMMUTABLE, AttributeTable


def refuse(value: str) -> None:
    raise OSError(EINVAL, f"'{value}' will not do")


def test_a_value_is_what_was_set_last() -> None:
    table = AttributeTable({"a": "1"})
    table.set("a", "2")
    table.set("b", "3")
    assert (table.get("a"), table.get("b"), table.names()) == ("2", "3", ["a", "b"])
    assert table.flags("a") == 0


def test_an_attribute_that_is_not_there_is_named() -> None:
    with pytest.raises(OSError, match="nonesuch: No such attribute") as caught:
        AttributeTable().get("nonesuch")
    assert caught.value.errno == ENOENT
    assert AttributeTable().lookup("nonesuch", "default") == "default"


def test_a_fixed_value_stays() -> None:
    table = AttributeTable()
    table.fix("rank", "3")
    assert table.flags("rank") == IMMUTABLE
    changes: tuple[Callable[[], None], ...] = (lambda: table.set("rank", "4"), lambda: table.remove("rank"))
    for change in changes:
        with pytest.raises(OSError, match="rank: attribute may not be") as caught:
            change()
        assert caught.value.errno == EPERM
    assert table.get("rank") == "3"
    table.set("rank", "4", force=True)
    assert table.get("rank") == "4"


def test_an_attribute_can_be_removed_unless_somebody_needs_it() -> None:
    table = AttributeTable({"a": "1", "b": "2"})
    table.remove("a")
    table.remove("a")
    table.watch("b", refuse)
    with pytest.raises(OSError, match="b: attribute may not be removed"):
        table.remove("b")
    assert table.names() == ["b"]
    table.unwatch("b", refuse)
    table.remove("b")
    assert table.names() == []


def test_who_watches_hears_of_a_change_before_it_is_made_and_may_refuse_it() -> None:
    table, heard = AttributeTable({"a": "1"}), list[tuple[str, str]]()
    table.watch("a", lambda value: heard.append((value, table.get("a"))))
    table.set("a", "2")
    table.watch("a", refuse)
    with pytest.raises(OSError, match="'3' will not do"):
        table.set("a", "3")
    assert heard[0] == ("2", "1")
    assert table.get("a") == "2"


def test_who_watches_no_more_hears_nothing() -> None:
    table = AttributeTable()
    table.watch("a", refuse)
    table.unwatch("a", refuse)
    table.unwatch("a", refuse)
    table.set("a", "1")
    assert table.get("a") == "1"
