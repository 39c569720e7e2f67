"""Flux Standard Duration against recorded vectors."""

import contextlib
import json
from math import inf
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.base.duration import exact_fsd, fsd, parse_fsd

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "fsd.json").read_text())


@pytest.mark.parametrize("vector", VECTORS["parse"], ids=lambda v: v["in"])
def test_text_reads_as_recorded(vector: dict[str, Any]) -> None:
    if "error" in vector:
        with pytest.raises(ValueError):
            parse_fsd(vector["in"])
    else:
        assert parse_fsd(vector["in"]) == float(vector["seconds"])


@pytest.mark.parametrize("vector", VECTORS["format"], ids=lambda v: v["out"])
def test_seconds_print_as_recorded(vector: dict[str, Any]) -> None:
    assert fsd(vector["seconds"]) == vector["out"]


@given(st.floats(min_value=0, max_value=1e15))
def test_exact_text_reads_back(seconds: float) -> None:
    assert parse_fsd(exact_fsd(seconds)) == pytest.approx(seconds, rel=1e-5)


@given(st.text())
def test_no_text_raises_anything_but_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert parse_fsd(text) >= 0


def test_infinity_takes_any_case_and_no_unit() -> None:
    assert parse_fsd("Infinity") == inf
    assert (fsd(inf), exact_fsd(inf)) == ("inf", "infinity")
    for text in ("infs", "nan", "1e999", "infinitym", "1_0", "-0.5s"):
        with pytest.raises(ValueError):
            parse_fsd(text)


def test_exact_text_is_in_seconds_when_it_can_be() -> None:
    assert [exact_fsd(s) for s in (0, 0.0621, 0.5, 5400, 86400)] == ["0s", "62.1ms", "0.5s", "1.5h", "1d"]
