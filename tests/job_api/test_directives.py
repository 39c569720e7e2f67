"""Options in scripts (RFC 36)."""

import pytest

from flux.job.directives import DirectiveParser

SCRIPT = """\
#!/bin/sh
# what it is about
# flux: -N4 --job-name="my 'job'"   # and why
# flux: --quiet
# flux: # --not-now
# flux:

# flux: --setattr=user.x='''it's "here"''' --flag
# flux: --setattr=user.conf=\"\"\"
# flux: [table]
# flux:   key = 'value'
# flux: \"\"\"
hostname
# no directive
"""


def words(script: str) -> list[list[str]]:
    """The words of each directive."""
    return [directive.args for directive in DirectiveParser(script.splitlines(keepends=True)).directives]


def test_directives_are_read_as_a_shell_would() -> None:
    parser = DirectiveParser(SCRIPT.splitlines(keepends=True))
    assert [directive.args for directive in parser.directives] == [
        ["-N4", "--job-name=my 'job'"],
        ["--quiet"],
        [],
        ['--setattr=user.x=it\'s "here"', "--flag"],
        ["--setattr=user.conf=[table]\n  key = 'value'\n"],
    ]
    assert [directive.lineno for directive in parser.directives] == [3, 4, 5, 8, 9]
    assert str(parser.directives[1]) == "SETARGS(['--quiet'])"
    assert parser.directives[2].action == "NOOP"
    assert parser.script.endswith("hostname\n# no directive\n")


@pytest.mark.parametrize("begin", ["#FLUX:", "-- flux:", "// flux: ", "flux:"])
def test_other_languages_have_other_comments(begin: str) -> None:
    assert words(f"{begin}-n1\n") == [["-n1"]]


def test_a_script_without_directives_has_none() -> None:
    assert words("#!/bin/sh\nflux run hostname\n") == []


@pytest.mark.parametrize(
    ("script", "text"),
    [
        ("# flux: -n1\ntrue\n# flux: -n2\n", "line 3: orphan 'flux:' detected: directives disabled after line 1"),
        ("# flux: -n1\n#flux: -n2\n", "line 2: sentinel changed from '# flux:' to '#flux:'"),
        ("# flux: run\n", "line 1: Unknown directive"),
        ("# flux: --x='a\n", "line 1: .*No closing quotation"),
        ("# flux: --x='''a\n", "line 1: unclosed triple quote: --x='''a"),
        ("# flux: --x='''\n# flux: a\ntrue\n", "line 3: unterminated multi-line quote at line 1: `--x='''"),
        ("# flux: --x='''\n# flux: a\n", "at the end: unterminated multi-line quote at line 1"),
    ],
)
def test_what_is_wrong_names_the_line(script: str, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        words(script)
