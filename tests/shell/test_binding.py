"""Which CPUs and GPUs tasks get, and the order in which they are given to nodes."""

import pytest

from flux.base.invalid import Invalid
from flux.shell.binding import checked, cpus, gpus
from flux.shell.mapping import mapping

MACHINE = [(0, 4), (1, 5), (2, 6), (3, 7)]


@pytest.mark.parametrize(
    ("option", "cores", "ntasks", "found"),
    [
        ("off", "0-3", 2, [(), ()]),
        ("on", "1,3", 2, [(1, 3, 5, 7), (1, 3, 5, 7)]),
        ("on", "", 1, [()]),
        ("on", "0-7", 1, [()]),
        ("per-task", "0-3", 2, [(0, 1, 4, 5), (2, 3, 6, 7)]),
        ("per-task", "0-2", 2, [(0, 4), (1, 2, 5, 6)]),
        ("per-task", "0-1", 4, [(0, 4), (0, 4), (1, 5), (1, 5)]),
        ("map:0;2-3;0x30", "0", 4, [(0,), (2, 3), (4, 5), (0,)]),
    ],
)
def test_tasks_are_bound_to_cores_that_there_are(
    option: str, cores: str, ntasks: int, found: list[tuple[int, ...]]
) -> None:
    assert cpus(option, cores, MACHINE, ntasks) == found


@pytest.mark.parametrize(
    ("option", "own", "found"),
    [
        ("off", "0-3", ["", ""]),
        ("on", "", ["-1", "-1"]),
        ("on", "0,2", ["0,2", "0,2"]),
        ("per-task", "0-3", ["0,1", "2,3"]),
        ("map:3;1", "0-3", ["3", "1"]),
    ],
)
def test_tasks_see_their_gpus(option: str, own: str, found: list[str]) -> None:
    assert gpus(option, own, 2) == found


def test_options_are_checked() -> None:
    assert [checked("cpu-affinity", given) for given in (1, True, 0, False, "on", "map:1")] == [
        *("on", "on", "off", "off", "on"),
        "map:1",
    ]
    for wrong in ("map:", "map:x", "some", 2, ["on"]):
        with pytest.raises(Invalid, match="cpu-affinity"):
            checked("cpu-affinity", wrong)


@pytest.mark.parametrize(
    ("scheme", "value", "counts", "found"),
    [
        ("block", "", [2, 1], ["0-1", "2"]),
        ("cyclic", "", [2, 2], ["0,2", "1,3"]),
        ("cyclic", "2", [3, 2], ["0-1,4", "2-3"]),
        ("cyclic", "", [3, 1], ["0,2-3", "1"]),
        ("manual", "[[1,1,1,1],[0,1,2,1]]", [2, 1], ["1-2", "0"]),
    ],
)
def test_tasks_are_mapped_to_nodes(scheme: str, value: str, counts: list[int], found: list[str]) -> None:
    made = mapping(scheme, value, counts)
    assert [str(made.taskids(node)) for node in range(made.nnodes)] == found


@pytest.mark.parametrize(
    ("scheme", "value"),
    [("round", ""), ("cyclic", "0"), ("cyclic", "x"), ("manual", "{"), ("manual", "[[0,1,9,1]]"), ("manual", "")],
)
def test_maps_that_make_no_sense_are_refused(scheme: str, value: str) -> None:
    with pytest.raises(Invalid, match="taskmap"):
        mapping(scheme, value, [2, 1])
