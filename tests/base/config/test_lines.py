"""Which line of a TOML text says a key."""

import tomllib

import pytest

from flux.base.config.lines import Path, line_of, statements

TEXT = """\
# [not.a.table]
title = "a # b"

[one] # here
x = 1
"y z".w = { v = 2 }
long = [
  1, # ]
  "]",
]
text = '''
[two]
x = 3
'''

[[two]]
x = 4
[[two]]
x = 5
two.x = 6
[[two.deep]]
x = 7
[[two.deep]]

x = 8
[three]
last = 1"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("title",), 2),
        (("one",), 4),
        (("one", "x"), 5),
        (("one", "y z", "w", "v"), 6),
        (("one", "long"), 7),
        (("one", "long", 1), 7),
        (("one", "text"), 11),
        (("two",), 16),
        (("two", 0, "x"), 17),
        (("two", 1, "x"), 19),
        (("two", 1, "two", "x"), 20),
        (("two", 1, "deep", 0, "x"), 22),
        (("two", 1, "deep", 1, "x"), 25),
        (("three", "last"), 27),
        (("three", "more"), 26),
        (("four", "x"), 0),
    ],
)
def test_the_line_is_where_the_statement_begins_or_its_table(path: Path, line: int) -> None:
    assert tomllib.loads(TEXT)
    assert line_of(TEXT, path) == line


@pytest.mark.parametrize(
    "text",
    [
        'a = """x\n""y"""""\nb = 1',
        "a = '''x\n''y'''''\nb = 1",
        'a = """\\"""\n"""\nb = 1',
        "a = '\\'\n\nb = 1",
        'a = "\\"#["\n\nb = 1',
        "a = [[1],\n[2]]\nb = 1",
    ],
)
def test_what_is_in_a_string_or_brackets_is_no_line_of_its_own(text: str) -> None:
    assert [statement for _, statement in statements(text) if statement.strip()][-1] == "b = 1"
    assert line_of(text, ("b",)) == text.count("\n") + 1
