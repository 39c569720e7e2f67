"""Jobspecs as objects: what makes one, its properties, and what cannot be one."""

import json
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from flux.base.jobspec import Jobspec as Parsed
from flux.job import Jobspec, JobspecV1, validate_jobspec

MINIMAL: dict[str, Any] = {
    "resources": [{"type": "slot", "count": 1, "label": "task", "with": [{"type": "core", "count": 1}]}],
    "tasks": [{"command": ["app"], "slot": "task", "count": {"per_slot": 1}}],
    "attributes": {"system": {"duration": 0}},
    "version": 1,
}


def minimal(**parts: Any) -> dict[str, Any]:
    """A jobspec of which some parts are others."""
    made: dict[str, Any] = json.loads(json.dumps(MINIMAL)) | parts
    return made


def with_vertex(**vertex: Any) -> dict[str, Any]:
    """One whose resources are that."""
    return minimal(resources=[{"type": "slot", "count": 1, "label": "task"} | vertex])


# -- of a command -----------------------------------------------------------------------------------------------------


def test_a_command_is_one_task_of_a_core() -> None:
    made = JobspecV1.from_command(["hostname", "-f"], environment={})
    assert made.resources == [{"type": "slot", "count": 1, "with": [{"type": "core", "count": 1}], "label": "task"}]
    assert made.tasks == [{"command": ["hostname", "-f"], "slot": "task", "count": {"per_slot": 1}}]
    assert made.attributes == {"system": {"duration": 0, "environment": {}}}
    assert made.version == 1


def test_tasks_that_do_not_divide_by_nodes_are_counted() -> None:
    made = JobspecV1.from_command(["app"], num_tasks=5, num_nodes=2, cores_per_task=3, gpus_per_task=1)
    assert made.resource_counts() == {"node": 2, "slot": 6, "core": 18, "gpu": 6}
    assert made.resource_counts()["memory"] == 0
    assert made.tasks[0]["count"] == {"total": 5}
    assert Parsed.parse(made.jobspec).ntasks == 5


def test_a_job_has_the_environment_of_who_makes_it_unless_it_is_given_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLOR", "red")
    assert JobspecV1.from_command(["app"]).environment["COLOR"] == "red"
    assert JobspecV1.from_command(["app"], environment={"A": "b"}).environment == {"A": "b"}


def test_what_is_said_of_a_command_is_in_its_place() -> None:
    made = JobspecV1.from_command(
        ["app"],
        duration="1.5h",
        env_expand={"ID": "{{id}}"},
        cwd=Path("/tmp"),
        rlimits={"nofile": 12000},
        name="mine",
        input="in",
        output="out.{{id}}",
        error=Path("err"),
        label_io=True,
        unbuffered=True,
        queue="batch",
        bank="ours",
    )
    assert (made.duration, made.cwd, made.queue) == (5400.0, "/tmp", "batch")
    assert (made.getattr("job.name"), made.getattr("bank")) == ("mine", "ours")
    assert (made.input, made.stdin, made.output, made.stderr) == ("in", "in", "out.{{id}}", "err")
    assert made.unbuffered
    options = made.getattr("shell.options")
    assert options["env-expand"] == {"ID": "{{id}}"}
    assert options["rlimit"] == {"nofile": 12000}
    assert options["output"]["stdout"]["label"] and options["output"]["stderr"]["label"]


def test_output_that_goes_to_the_store_goes_to_no_file() -> None:
    assert JobspecV1.from_command(["app"], output="kvs", error="none").output is None


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"num_tasks": 0}, "task count must be a integer >= 1"),
        ({"num_tasks": "2"}, "task count must be a integer >= 1"),
        ({"cores_per_task": 0}, "cores per task must be an integer >= 1"),
        ({"gpus_per_task": -1}, "gpus per task must be an integer >= 0"),
        ({"num_nodes": 0}, "node count must be an integer >= 1"),
        ({"num_nodes": 2}, "node count must not be greater than task count"),
        ({"exclusive": True}, "exclusive can only be set with a node count"),
        ({"duration": "1f"}, "invalid Flux standard duration"),
        ({"duration": -1}, "duration must not be negative"),
        ({"duration": float("inf")}, "duration must be a normal, finite value"),
        ({"environment": "A=b"}, "environment must be a mapping"),
        ({"env_expand": 1}, "env_expand must be a mapping"),
        ({"rlimits": True}, "rlimits must be a mapping"),
        ({"cwd": 1}, "cwd must be a string"),
    ],
)
def test_what_cannot_be_is_named(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        JobspecV1.from_command(["app"], **arguments)


@pytest.mark.parametrize(("name", "value"), [("duration", []), ("queue", 1), ("output", 1), ("unbuffered", "yes")])
def test_a_property_of_the_wrong_kind_is_a_type_error(name: str, value: Any) -> None:
    with pytest.raises(TypeError):
        setattr(JobspecV1.from_command(["app"]), name, value)


@pytest.mark.parametrize("command", ["app", [], [1], None])
def test_a_command_is_a_list_of_words(command: Any) -> None:
    with pytest.raises(TypeError):
        JobspecV1.from_command(command)


# -- of resources -----------------------------------------------------------------------------------------------------


def test_tasks_on_each_core_are_for_the_shell_to_place() -> None:
    made = JobspecV1.per_resource(["app"], ncores=4, nnodes=2, per_resource_type="core", per_resource_count=2)
    assert made.resource_counts() == {"node": 2, "slot": 2, "core": 4}
    assert made.getattr("shell.options.per-resource") == {"type": "core", "count": 2}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({}, "must specify node or core count"),
        ({"nnodes": 2}, "also requires ncores or exclusive"),
        ({"ncores": 1, "nnodes": 2}, "cannot be less than nnodes"),
        ({"ncores": 3, "nnodes": 2}, "evenly divisible"),
        ({"ncores": 2, "exclusive": True}, "exclusive can only be set with a node count"),
        ({"ncores": 2, "gpus_per_node": 1}, "must be specified with nnodes"),
        ({"ncores": 2, "per_resource_type": "node"}, "must specify a per_resource_count"),
        ({"ncores": 2, "per_resource_count": 2}, "must specify a per_resource_type"),
        ({"ncores": 2, "per_resource_type": "gpu", "per_resource_count": 1}, "Invalid per_resource_type='gpu'"),
        ({"ncores": 2, "per_resource_type": "node", "per_resource_count": 0}, "must be >= 1"),
    ],
)
def test_resources_that_make_no_sense_are_refused(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        JobspecV1.per_resource(["app"], **arguments)


# -- of an instance ---------------------------------------------------------------------------------------------------


def test_an_instance_has_its_configuration_with_it() -> None:
    made = JobspecV1.from_nest_command(["sleep", "0"], num_slots=2, broker_opts=["-v"], conf={"a": {"b": 1}}, cwd="/")
    assert made.tasks[0]["command"] == ["flux", "broker", "-v", "-c{{tmpdir}}/conf.json", "sleep", "0"]
    assert made.getattr("files")["conf.json"] == {"mode": 0o100600, "data": {"a": {"b": 1}}}
    assert made.getattr("shell.options")["per-resource"] == {"type": "node"}
    assert (made.getattr("shell.options.mpi"), made.getattr("shell.options.exit-timeout")) == ("none", "none")


def test_a_script_goes_with_its_job() -> None:
    made = JobspecV1.from_batch_command("#!/bin/sh\ntrue\n", "nested", args=["1"], num_nodes=1)
    assert made.tasks[0]["command"][-2:] == ["{{tmpdir}}/script", "1"]
    script = made.getattr("files")["script"]
    assert script == {"mode": 0o100700, "data": "#!/bin/sh\ntrue\n", "encoding": "utf-8"}
    assert made.getattr("job.name") == "nested"


def test_a_script_says_what_runs_it(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nested does not appear to start with '#!'"):
        JobspecV1.from_batch_command("true\n", "nested")
    (tmp_path / "work.sh").write_text("true\n")
    made = JobspecV1.from_batch(tmp_path / "work.sh", wrap=True, nodes=2)
    assert made.getattr("files")["script"]["data"] == "#!/bin/sh\ntrue\n"
    assert (made.getattr("job.name"), made.output) == ("work.sh", "flux-{{id}}.out")
    assert made.resources[0]["exclusive"]
    neither: dict[str, Any] = {}
    for arguments in (neither, {"script": "a", "content": "b"}):
        with pytest.raises(TypeError, match="either 'script'"):
            JobspecV1.from_batch(**arguments)


def test_an_allocation_needs_a_size() -> None:
    with pytest.raises(ValueError, match="requires nslots or nodes"):
        JobspecV1.from_alloc()
    made = JobspecV1.from_alloc(nodes=2, bg=True, conf="resource.noverify=true", time_limit="1h")
    assert made.tasks[0]["command"] == ["flux", "broker", "-Sbroker.rc2_none=1", "-c{{tmpdir}}/conf.json"]
    assert made.duration == 3600.0
    assert made.resources[0] | {"with": 0} == {"type": "node", "count": 2, "exclusive": True, "with": 0}


# -- from files -------------------------------------------------------------------------------------------------------


def test_a_file_of_json_is_read(tmp_path: Path) -> None:
    path = tmp_path / "job.json"
    path.write_text(json.dumps(MINIMAL))
    assert JobspecV1.from_yaml_file(path).jobspec == MINIMAL
    assert Jobspec.from_yaml_stream(json.dumps(MINIMAL)).jobspec == MINIMAL


def test_other_yaml_needs_a_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(ImportError, match="pip install pyyaml"):
        Jobspec.from_yaml_stream("version: 1\n")


def test_a_jobspec_prints_as_what_makes_it_again() -> None:
    made = JobspecV1.from_command(["app"], environment={}, cwd="/")
    assert eval(repr(made)).jobspec == made.jobspec
    assert json.loads(made.dumps()) == made.jobspec


# -- what is none -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "error", "text"),
    [
        (minimal(resources={}), TypeError, "resources must be a sequence"),
        (minimal(tasks=1), TypeError, "tasks must be a sequence"),
        (minimal(version="1"), TypeError, "version must be an integer"),
        (minimal(attributes={"other": 1}), ValueError, r"Extraneous key \(other\)"),
        (minimal(more=1), ValueError, r"Extraneous key \(more\)"),
        ({"version": 1}, ValueError, r"Missing key \("),
        (minimal(tasks=[{"command": ["a"], "slot": "task"}]), ValueError, r"Missing key \(count\)"),
        (with_vertex(count=0), ValueError, "count must be > 0"),
        (with_vertex(count=1.5), TypeError, "count must be an int or mapping"),
        (with_vertex(count={"max": 2}), ValueError, r"Missing key \(min\)"),
        (with_vertex(count={"min": 3, "max": 2}), ValueError, "max must be >= min"),
        (with_vertex(count={"min": 1, "operator": "+"}), ValueError, "must both be in range"),
        (with_vertex(count={"min": 1, "operator": "-", "operand": 1}), ValueError, "operator must be one of"),
        (with_vertex(count={"min": 1, "operator": "*", "operand": 1}), ValueError, "operand must be > 1"),
        (with_vertex(count="many"), ValueError, "valid idset or range"),
        (with_vertex(exclusive="yes"), TypeError, "exclusive must be a boolean"),
        (with_vertex(unit=1), TypeError, "unit must be a string"),
        (minimal(resources=[{"type": "slot", "count": 1}]), ValueError, "slots must have labels"),
        (minimal(attributes={"system": {"dependencies": [{"scheme": "a"}]}}), ValueError, r"Missing key \(value\)"),
        (minimal(attributes={"system": {"constraints": {"xor": []}}}), TypeError, "unknown constraint operator 'xor'"),
        (minimal(attributes={"system": {"constraints": {"properties": ["a|b"]}}}), TypeError, "invalid character"),
        (minimal(attributes={"system": {"constraints": {"ranks": ["x"]}}}), ValueError, "x"),
    ],
)
def test_what_is_no_jobspec_says_why(found: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        Jobspec.from_yaml_stream(json.dumps(found))


@pytest.mark.parametrize("count", ["2-8:2:*", "2+", "1,7-9", {"min": 2, "operator": "^", "operand": 2}])
def test_a_count_may_be_a_range_but_not_in_version_1(count: Any) -> None:
    assert Jobspec(**with_vertex(count=count)).resources[0]["count"] == count
    with pytest.raises(ValueError, match="resource count must be an integer for type 'slot'"):
        JobspecV1(**with_vertex(count=count))


@pytest.mark.parametrize("attributes", [{}, {"system": {}}, {"system": {"duration": "1h"}}, {"system": 1}])
def test_version_1_has_a_time_limit(attributes: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        JobspecV1(**minimal(attributes=attributes))


def test_validation_gives_the_object() -> None:
    assert type(validate_jobspec(json.dumps(MINIMAL))[1]) is JobspecV1
    assert type(validate_jobspec(json.dumps(minimal(version=2)))[1]) is Jobspec
    with pytest.raises(ValueError, match="version must be 1"):
        validate_jobspec(json.dumps(minimal(version=2)), require_version=1)
    with pytest.raises(TypeError):
        validate_jobspec(1)
    with pytest.raises(OSError, match="must not be None"):
        validate_jobspec(None)


# -- attributes -------------------------------------------------------------------------------------------------------


def test_attributes_are_below_system_unless_they_say_otherwise() -> None:
    made = JobspecV1.from_command(["app"])
    for key, value in (("cow", 1), ("system.cat", 2), ("user.dog", 3), ("attributes.user.duck", 4)):
        made.setattr(key, value)
    assert [made.getattr(key) for key in ("system.cow", "cat", "attributes.user.dog", "user.duck")] == [1, 2, 3, 4]
    with pytest.raises(KeyError):
        made.getattr("horse")
    with pytest.raises(TypeError, match=r"failed to set attributes\.system\.cow\.calf to 1"):
        made.setattr("cow.calf", 1)


def test_a_time_limit_may_be_of_many_kinds() -> None:
    made = JobspecV1.from_command(["app"])
    for value in ("1m", 60, 60.0, timedelta(minutes=1)):
        made.duration = 0
        made.duration = value
        assert made.duration == 60.0


def test_a_job_that_is_unbuffered_no_more_is_as_before() -> None:
    made = JobspecV1.from_command(["app"], environment={})
    before = made.dumps()
    made.unbuffered = True
    assert made.unbuffered
    made.unbuffered = False
    assert not made.unbuffered
    assert made.dumps() == before


def test_files_are_read_when_they_are_added(tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(b"\xff\n")
    path.chmod(0o640)
    made = JobspecV1.from_command(["app"])
    made.add_file("bytes", str(path))
    made.add_file("text", "a\n", perms=0o755)
    made.add_file("json", {"a": 1})
    assert made.getattr("files") == {
        "bytes": {"mode": 0o100640, "size": 2, "data": "/wo=", "encoding": "base64"},
        "text": {"mode": 0o100755, "data": "a\n", "encoding": "utf-8"},
        "json": {"mode": 0o100600, "data": {"a": 1}},
    }
    with pytest.raises(FileNotFoundError):
        made.add_file("gone", str(tmp_path / "gone"))
    with pytest.raises(TypeError):
        made.add_file("number", 1)


def test_all_vertices_are_walked() -> None:
    made = JobspecV1.from_command(["app"], num_tasks=4, num_nodes=2)
    assert [vertex["type"] for vertex in made] == ["node", "slot", "core"]
    assert [count for _, _, count in made.resource_walk()] == [2, 4, 4]
