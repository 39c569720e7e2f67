"""Rules that make an environment."""

import pytest

from flux.base.envrules import apply

OWN = {"PATH": "/bin", "HOME": "/me", "OMP_A": "1", "OMP_B": "2"}


@pytest.mark.parametrize(
    ("rules", "made"),
    [
        ([], OWN),
        (["-*"], {}),
        (["-/.*/"], {}),
        (["-OMP_*"], {"PATH": "/bin", "HOME": "/me"}),
        (["-/^OMP_[A]$/"], {"PATH": "/bin", "HOME": "/me", "OMP_B": "2"}),
        (["-*", "OMP*"], {"OMP_A": "1", "OMP_B": "2"}),
        (["-*", "/^P/"], {"PATH": "/bin"}),
        (["-*", "PATH=/opt", "PATH"], {"PATH": "/opt"}),
        (["-*", "A=x=y"], {"A": "x=y"}),
        (["-*", "PATH=$PATH:/opt", "X=${PATH}$$1"], {"PATH": "/bin:/opt", "X": "/bin:/opt$1"}),
        (["-*", "NOSUCH"], {}),
    ],
)
def test_rules_are_applied_in_order(rules: list[str], made: dict[str, str]) -> None:
    assert apply(rules, OWN) == made


@pytest.mark.parametrize(
    ("rule", "why"),
    [("A=$B", "variable B is not set"), ("A=a$", "no name"), ("A=${B", "no name"), ("-/(/", "unterminated")],
)
def test_what_makes_no_sense_is_named(rule: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        apply([rule], OWN)
