"""Job ids against recorded vectors."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.base.jobid import JobID, compose, parse

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "jobid.json").read_text())
TEXTS = ("dec", "f58", "f58plain", "hex", "dothex", "kvs")


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: v["dec"])
def test_every_text_is_as_recorded_and_reads_back(vector: dict[str, Any]) -> None:
    jobid = JobID(int(vector["dec"]))
    for name in TEXTS:
        assert jobid.encode(name) == vector[name]
        assert parse(f" {vector[name]}\n") == jobid
        assert JobID(vector[name]).orig == vector[name]


@given(st.text() | st.from_regex(r"(0x|f|ƒ|job\.)?[0-9a-fA-F.]*"))
def test_no_text_raises_anything_but_a_value_error(text: str) -> None:
    try:
        assert 0 <= parse(text) < 1 << 64
    except ValueError as error:
        assert "is not a valid Flux jobid" in str(error)


@given(st.integers(0, (1 << 64) - 1))
def test_ids_read_back_from_all_texts(value: int) -> None:
    assert [parse(JobID(value).encode(name)) for name in TEXTS] == [value] * len(TEXTS)


def test_an_id_is_time_generator_and_sequence() -> None:
    assert compose(1, 2, 3) == 1 << 24 | 2 << 10 | 3
    with pytest.raises(ValueError):
        compose(0, 1 << 14, 0)


def test_an_id_prints_as_f58_and_stays_a_number() -> None:
    jobid = JobID(6731191091817518)
    assert (str(jobid), repr(jobid), jobid + 1) == ("ƒuZZybuNNy", "JobID(6731191091817518)", 6731191091817519)
    with pytest.raises(ValueError):
        JobID(1 << 64)
    with pytest.raises(ValueError):
        jobid.encode("runes")
