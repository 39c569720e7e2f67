"""Where modules come from. Files and entry points are tried where modules are loaded."""

from errno import EINVAL, ENOENT
from pathlib import Path

import pytest

from flux.base.rc1 import MODULES
from flux.broker.catalogue import BUILT_IN, find, renamed
from flux.broker.runlevels import BUILTINS


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_a_built_in_module_has_the_name_that_it_is_found_by(name: str) -> None:
    found = find(name)
    assert found.service.name == name
    assert found.path == BUILT_IN[name]


def test_all_that_a_session_loads_is_built_in() -> None:
    assert {*BUILTINS, *(entry.name for entry in MODULES)} <= set(BUILT_IN)


def test_what_is_nowhere_is_named(tmp_path: Path) -> None:
    for name, said in (("nonesuch", "module not found"), (f"{tmp_path}/x.py", "No such file or directory")):
        with pytest.raises(OSError, match=f"{name}: {said}") as caught:
            find(name)
        assert caught.value.errno == ENOENT


def test_the_same_module_has_other_topics_under_another_name() -> None:
    other = renamed(find("barrier").service, "gate")
    assert "gate.enter" in other.topics and "barrier.enter" not in other.topics


@pytest.mark.parametrize("name", ["", "a.b"])
def test_what_cannot_be_a_services_name_is_no_name_for_a_module(name: str) -> None:
    with pytest.raises(OSError, match="is no name for a module") as caught:
        renamed(find("barrier").service, name)
    assert caught.value.errno == EINVAL
