"""Where a job's tasks run, and where their output goes."""

from typing import Any

import pytest

from flux.base.invalid import Invalid
from flux.base.jobspec import Jobspec
from flux.base.rset import ResourceSet, Share
from flux.base.shape import of_resources, of_tasks
from flux.modules.job_exec.placing import counts
from flux.modules.job_exec.redirection import Redirection

TWO = ResourceSet({0: Share(0b11), 3: Share(0b111)})


def spec(made: tuple[Any, Any], **options: Any) -> Jobspec:
    vertices, count = made
    system = {"duration": 0, "shell": {"options": options}}
    tasks = [{"command": ["x"], "slot": "task", "count": count}]
    return Jobspec.parse({"resources": vertices, "tasks": tasks, "attributes": {"system": system}, "version": 1})


@pytest.mark.parametrize(
    ("made", "options", "found"),
    [
        (of_tasks(5), {}, [2, 3]),
        (of_tasks(4), {}, [2, 2]),
        (of_tasks(2, cores=2), {}, [1, 1]),
        (of_tasks(None, 2), {}, [1, 1]),
        (of_tasks(4, 2), {}, [2, 2]),
        (of_tasks(3, 2), {}, [2, 1]),
        ((of_resources(nodes=2), {"per_slot": 1}), {"per-resource": {"type": "node", "count": 3}}, [3, 3]),
        ((of_resources(5), {"per_slot": 1}), {"per-resource": {"type": "core", "count": 2}}, [4, 6]),
    ],
)
def test_tasks_are_placed(made: tuple[Any, Any], options: dict[str, Any], found: list[int]) -> None:
    assert counts(spec(made, **options), TWO) == found


def test_a_per_resource_that_makes_no_sense_is_refused() -> None:
    for option in ({"type": "rack"}, {"type": "core", "count": 0}):
        with pytest.raises(Invalid):
            counts(spec(of_tasks(1), **{"per-resource": option}), TWO)


def redirection(**output: Any) -> Redirection:
    return Redirection({"output": output}, 1, "name", "/home", 2, 4)


def test_files_are_named_by_template_below_the_jobs_directory() -> None:
    made = redirection(stdout={"type": "file", "path": "{{name}}.{{id.dec}}.{{taskid}}"})
    assert made.redirects("stdout") and made.redirects("stderr"), "stderr goes where stdout does"
    assert made.common("stdout") is None
    assert made.take("stderr", "3", b"x", end=False) == ("/home/name.1.3", b"x")
    assert made.paths == {"/home/name.1.3"}
    plain = redirection(stderr={"type": "file", "path": "/tmp/e"})
    assert not plain.redirects("stdout") and plain.common("stderr") == "/tmp/e"
    assert not redirection().redirects("stdout")


def test_labels_are_put_before_whole_lines() -> None:
    made = redirection(stdout={"type": "file", "path": "o", "label": True})
    assert made.take("stdout", "1", b"a\nb", end=False)[1] == b"1: a\n"
    assert made.take("stdout", "1", b"c\n", end=False)[1] == b"1: bc\n"
    assert made.take("stdout", "1", b"d", end=True)[1] == b"1: d\n"
