"""CURVE certificates as text."""

from errno import EINVAL

import pytest

from flux.base.certificate import Certificate, check_note, read_certificate

PUBLIC, SECRET = "0I%ri+:)D4>nldtUkTqaKyW}JmCJYZu9?AT:i^x-", "TVjiB.e1zYZe>EWi%5Gfb{0{p0JviYj#F92zLgY*"


def test_a_certificate_reads_what_it_writes() -> None:
    made = Certificate(PUBLIC, SECRET, {"name": "x", "keygen.time": "2016-01-01T00:00:00"})
    assert read_certificate(made.text(), "x") == made


def test_one_that_flux_core_wrote_is_read() -> None:
    text = f'#  a comment\n\nmetadata\n    name = "x"\ncurve\n\tpublic-key = "{PUBLIC}"\n    secret-key="{SECRET}"\n'
    assert read_certificate(text, "x") == Certificate(PUBLIC, SECRET, {"name": "x"})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "x: no certificate with a public-key and a secret-key"),
        (f'curve\n    public-key = "{PUBLIC}"\n', "x: no certificate with a public-key and a secret-key"),
        (f'curve\n    public-key = "{PUBLIC}"\n    secret-key = "short"\n', "x: no certificate with"),
        ("hello\n", "x:1: not a line of a certificate"),
        ('metadata\n    name "x"\n', "x:2: not a line of a certificate"),
        ('    name = "x"\n', "x:1: not a line of a certificate"),
    ],
)
def test_what_is_no_certificate_is_named(text: str, reason: str) -> None:
    with pytest.raises(OSError, match=reason):
        read_certificate(text, "x")


@pytest.mark.parametrize(("key", "value"), [("", "x"), ("a_b", "x"), ("a", 'x"y'), ("a", "x\ny")])
def test_a_note_that_would_break_it_is_refused(key: str, value: str) -> None:
    with pytest.raises(OSError) as refused:
        check_note(key, value)
    assert refused.value.errno == EINVAL
    assert key in str(refused.value.strerror)


def test_most_notes_are_fine() -> None:
    check_note("a-b.c", "2016-01-01T00:00:00 <me@here> = 100%")
    check_note("empty", "")
