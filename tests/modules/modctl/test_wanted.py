"""Which modules are wanted on which ranks, and what a rank has to do for it."""

from hypothesis import given
from hypothesis import strategies as st

from flux.base.idset import IDset
from flux.modules.modctl.wanted import Recipe, Step, View, Wanted, steps

A, B = Recipe("a.py"), Recipe("a.py", ("x=1",))


def rows(wanted: Wanted) -> list[tuple[str, int, str]]:
    return [(row["name"], len(row["args"]), row["ranks"]) for row in wanted.rows()]


def test_a_module_has_one_recipe_on_each_rank() -> None:
    wanted = Wanted()
    wanted.add("a", A, IDset("0-7"))
    wanted.add("b", A, IDset("3"))
    wanted.add("a", B, IDset("2-3"))
    assert rows(wanted) == [("a", 0, "0-1,4-7"), ("b", 0, "3"), ("a", 1, "2-3")]
    assert wanted.view(3) == {"b": A, "a": B}
    wanted.remove("a", IDset("0-3"))
    assert rows(wanted) == [("a", 0, "4-7"), ("b", 0, "3")]
    assert wanted.names("a.py") == {"a", "b"} and wanted.names("b") == {"b"} and not wanted.names("c")


def test_it_travels() -> None:
    wanted = Wanted()
    wanted.add("a", B, IDset("0-7"))
    wanted.add("nowhere", B, IDset())
    assert Wanted.read(wanted.rows()).rows() == wanted.rows() and len(wanted.rows()) == 1


def test_what_has_changed_goes_and_comes_again() -> None:
    assert steps({"a": A, "b": B, "c": A}, {"a": A, "b": A, "d": B}) == [
        Step("c", None),
        Step("b", None),
        Step("b", A),
        Step("d", B),
    ]


views = st.dictionaries(st.sampled_from("abcd"), st.sampled_from([A, B]))


@given(views, views)
def test_steps_lead_to_what_is_wanted(have: View, want: View) -> None:
    while todo := steps(have, want):
        step = todo[0]
        if step.recipe is None:
            del have[step.name]
        else:
            assert step.name not in have
            have[step.name] = step.recipe
    assert have == want
