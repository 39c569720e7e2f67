"""Attributes as services read them when they start."""

import errno

import pytest

from flux.broker.attributes import AttributeTable
from flux.service.settings import setting, size_setting


def test_what_is_not_set_has_a_default() -> None:
    table = AttributeTable({"a": "x"})
    assert (setting(table, "a", "y"), setting(table, "b", "y")) == ("x", "y")
    assert size_setting(table, "b", 42) == 42


@pytest.mark.parametrize(("text", "size"), [("0", 0), ("100", 100), (" 2K ", 2048), ("3M", 3 << 20), ("1G", 1 << 30)])
def test_sizes_may_have_a_unit(text: str, size: int) -> None:
    assert size_setting(AttributeTable({"a": text}), "a", 0) == size


@pytest.mark.parametrize("text", ["", "K", "-1", "1.5M", "1T", "1KM", "much", "9" * 30, "٣"])
def test_what_is_no_size_is_refused_and_named(text: str) -> None:
    with pytest.raises(OSError, match="attribute a: not a size") as caught:
        size_setting(AttributeTable({"a": text}), "a", 0)
    assert caught.value.errno == errno.EINVAL
