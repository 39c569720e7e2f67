"""Jobspecs as services read them: what flux-core's commands make is understood, and what is wrong is named."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from flux.base.invalid import Invalid
from flux.base.jobspec import Jobspec, Resources, Slot

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "submit-dry-run.json").read_text())
MADE = [vector for vector in VECTORS if isinstance(vector.get("jobspec"), dict)]
PLAIN: dict[str, Any] = MADE[0]["jobspec"]


@pytest.mark.parametrize("vector", MADE, ids=[" ".join(vector["args"])[:40] for vector in MADE])
def test_all_that_todays_commands_make_is_read(vector: dict[str, Any]) -> None:
    assert Jobspec.parse(vector["jobspec"]).command


def made(*args: str) -> Jobspec:
    return Jobspec.parse(next(vector["jobspec"] for vector in MADE if vector["args"] == list(args)))


def test_shapes() -> None:
    assert made("true").resources == Resources(Slot(1), 1)
    assert made("-n4", "hostname").resources == Resources(Slot(1), 4)
    assert made("-N2", "hostname").resources == Resources(Slot(1), 1, 2, exclusive=True)
    assert made("-N2", "hostname").ntasks == 2


def changed(path: str, value: Any) -> Any:
    spec = copy.deepcopy(PLAIN)
    at: Any = spec
    *way, last = path.split(".")
    for key in way:
        at = at[int(key)] if key.isdecimal() else at[key]
    if value is None:
        del at[last]
    else:
        at[int(last) if last.isdecimal() else last] = value
    return spec


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("resources", None, "resources: required"),
        ("version", "1", "version: not an integer"),
        ("version", 2, "version: 2 is not supported, only 1"),
        ("resources.0.type", "rack", "resources[0].type: 'rack' is neither node nor slot"),
        ("resources.0.count", 0, "resources[0].count: 0 is not positive"),
        ("resources.0.count", True, "resources[0].count: not an integer"),
        ("resources.0.foo", 1, "resources[0].foo: unknown key"),
        ("resources.0.with.0.type", "disk", "resources[0].with[0].type: 'disk' is none of core, gpu, memory"),
        ("resources.0.label", None, "resources[0].label: required"),
        ("tasks", [], "tasks: 0 of them, not one"),
        ("tasks.0.command", [], "tasks[0].command: not a list of words"),
        ("tasks.0.count", {"per_slot": 2}, "tasks[0].count.per_slot: 2 is not 1"),
        ("tasks.0.count", {"some": 2}, "tasks[0].count: neither per_slot nor total"),
        ("attributes.system", None, "attributes.system: required"),
        ("attributes.system.duration", None, "attributes.system.duration: required"),
        ("attributes.system.duration", -1, "attributes.system.duration: not a number of seconds"),
        ("attributes.system.cwd", 1, "attributes.system.cwd: not a string"),
        ("attributes.system.environment", {"A": 1}, "attributes.system.environment: not an object of strings"),
        ("attributes.system.constraints", {"x": []}, "attributes.system.constraints: unknown operator 'x'"),
        ("attributes.system.dependencies", [{}], "attributes.system.dependencies[0].scheme: required"),
        ("attributes.system.shell", 1, "attributes.system.shell: not an object"),
    ],
)
def test_what_is_wrong_is_named(path: str, value: Any, text: str) -> None:
    with pytest.raises(Invalid) as caught:
        Jobspec.parse(changed(path, value))
    assert str(caught.value) == text


@pytest.mark.parametrize("nothing", [None, [], 1, "x", {}])
def test_what_is_none_is_refused(nothing: Any) -> None:
    with pytest.raises(Invalid):
        Jobspec.parse(nothing)
