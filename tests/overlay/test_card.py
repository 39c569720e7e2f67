"""Business cards: what is published comes back, whatever is not one is refused by the rank it should be of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.overlay.card import Card, read_card

text = st.text(st.characters(codec="utf-8"))


@given(st.builds(Card, text, text, text, text, text))
def test_a_card_reads_as_it_was_published(card: Card) -> None:
    assert read_card(3, card.text()) == card


def test_a_card_is_one_line_so_that_pmi_can_carry_it() -> None:
    assert "\n" not in Card("host\n", "uuid", "tcp://a", "tcp://b", "k\tey").text()


GARBAGE = (
    None,
    "",
    "{",
    "[]",
    "3",
    "{}",
    '{"host": "a"}',
    '{"host": "a", "uuid": "b", "x": 1}',
    '{"host": 1, "uuid": []}',
)


@pytest.mark.parametrize("published", GARBAGE)
def test_what_is_no_card_is_refused_by_rank(published: str | None) -> None:
    with pytest.raises(OSError, match="rank 3 has not published how to reach it"):
        read_card(3, published)
