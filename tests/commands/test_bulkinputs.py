"""The inputs of `flux bulksubmit`, and where they are put."""

import pytest

from flux.base.invalid import Invalid
from flux.commands.bulkinputs import Filler, methods, parse

FILES = {"-": ["in", "put"], "names": ["n1", "n2", "n3"]}


@pytest.mark.parametrize(
    ("line", "command", "combinations"),
    [
        ("echo {} ::: a b", "echo {}", ["a", "b"]),
        ("echo ::: a b ::: 1 2", "echo", ["a 1", "a 2", "b 1", "b 2"]),
        ("echo ::: a b c :::+ 1 2", "echo", ["a 1", "b 2", "c 1"]),
        ("echo ::: a :::+ 1 ::: x y", "echo", ["a 1 x", "a 1 y"]),
        ("echo :::: names", "echo", ["n1", "n2", "n3"]),
        ("echo ::: a b ::::+ names", "echo", ["a n1", "b n2"]),
        ("echo", "echo", ["in", "put"]),
        ("::: a", "{}", ["a"]),
        ("echo ::: a :::: -", "echo", ["a in", "a put"]),
    ],
)
def test_words_become_commands(line: str, command: str, combinations: list[str]) -> None:
    made = parse(line.split(), FILES.__getitem__)
    assert (" ".join(made.command), [" ".join(some) for some in made.combinations]) == (command, combinations)


@pytest.mark.parametrize(("line", "why"), [("x :::: a b", "one file"), ("x ::: a :::+", "no inputs after")])
def test_inputs_that_make_no_sense_are_refused(line: str, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        parse(line.split(), FILES.__getitem__)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{}", "dir/a.tar.gz"),
        ("{0.%}", "dir/a.tar"),
        ("{./}", "a.tar.gz"),
        ("{./%}", "a.tar"),
        ("{.//}", "dir"),
        ("{1}-{seq}-{seq1}-{cc}", "5-7-8-{cc}"),
        ("{{id}}.{1}", "{{id}}.5"),
        ("{1.p2}", "32"),
    ],
)
def test_templates_are_filled(template: str, text: str) -> None:
    assert Filler(["dir/a.tar.gz", "5"], 7, methods(["p2=2**int(x)"]))(template) == text


def test_a_method_that_gives_a_list_makes_several_words() -> None:
    assert Filler(["a,b"], 0, methods(["split=x.split(',')"])).words(["echo", "{.split}"]) == ["echo", "a", "b"]


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{2}", "Invalid replacement string in '{2}'"),
        ("{nosuch}", "Invalid replacement"),
        ("{.nosuch}", "Unknown input string method '.nosuch'"),
        ("{0.fails}", "--define: fails: division by zero"),
        ("{", "Invalid replacement"),
    ],
)
def test_templates_that_make_no_sense_are_refused(template: str, why: str) -> None:
    with pytest.raises(Invalid) as caught:
        Filler(["a"], 0, methods(["fails=1/0"]))(template)
    assert str(caught.value).startswith(why)


def test_definitions_are_checked() -> None:
    for text in ("x", "=1", "x=1+"):
        with pytest.raises(Invalid, match="--define"):
            methods([text])
