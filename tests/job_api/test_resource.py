"""Resource sets that can be changed, and what an instance says of its own."""

import json
from typing import Any

import pytest

import flux
import flux.job
import flux.resource
from flux.idset import IDset
from flux.job import JobspecV1
from flux.resource import ResourceSet, ResourceStatus, SchedResourceList


def R(ranks: str = "0-3", core: str = "0-3", gpu: str = "", **execution: Any) -> dict[str, Any]:
    """A resource set: the same of some ranks."""
    children = {"core": core} | ({"gpu": gpu} if gpu else {})
    hosts = [f"n{rank}" for rank in IDset(ranks)]
    lite = [{"rank": ranks, "children": children}]
    more = {"starttime": 0.0, "expiration": 0.0, "nodelist": hosts} | execution
    return {"version": 1, "execution": {"R_lite": lite, **more}}


# -- sets -------------------------------------------------------------------------------------------------------------


def test_a_set_is_counted_and_named() -> None:
    some = ResourceSet(R(gpu="0", properties={"fast": "0-1"}))
    assert (some.nnodes, some.ncores, some.ngpus, some.count("node"), some.count("fan")) == (4, 16, 4, 4, 0)
    assert (str(some.ranks), str(some.nodelist), some.properties) == ("0-3", "n[0-3]", "fast")
    assert str(some) == some.rlist == some.dumps() == "rank[0-3]/core[0-3],gpu0"
    assert json.loads(some.encode()) == some.to_dict()
    assert json.loads(some.get_properties()) == {"fast": "0-1"}
    assert some.host_ranks("n[3,1]") == [3, 1]
    with pytest.raises(FileNotFoundError):
        some.host_ranks("n9")
    assert some.host_ranks("n[3,9]", ignore_nomatch=True) == [3]


def test_nothing_is_the_empty_set() -> None:
    assert ResourceSet().ncores == 0
    assert ResourceSet().dumps() == ""


def test_a_set_without_hosts_names_its_ranks() -> None:
    assert str(ResourceSet(R("0-1", nodelist=[])).nodelist) == "rank[0-1]"


@pytest.mark.parametrize(
    ("arg", "error"),
    [
        (1, TypeError),
        ({}, KeyError),
        ({"version": 2}, ValueError),
        ("no json", ValueError),
        ({"version": 1}, ValueError),
    ],
)
def test_what_is_no_set_is_refused(arg: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        ResourceSet(arg)


def test_sets_make_other_sets() -> None:
    some, other = ResourceSet(R("0-1")), ResourceSet(json.dumps(R("1-2", "4-5")))
    assert (some | other).dumps() == "rank0/core[0-3] rank1/core[0-5] rank2/core[4-5]"
    assert (some & other).dumps() == "rank1/core[0-3]"
    assert (some - ResourceSet(R("0-1", "0-2"))).dumps() == "rank[0-1]/core3"
    assert (some - some.copy_ranks("0")).dumps() == "rank1/core[0-3]"
    assert some.dumps() == "rank[0-1]/core[0-3]"


def test_a_set_is_changed() -> None:
    some = ResourceSet(R("0-1"))
    some.state = "up"
    assert some.append(R("2", properties={"slow": "2"})).properties == "slow"
    assert some.add(R("0,3", properties={"fast": "0,3"})).get_properties() == '{"fast": "3", "slow": "2"}'
    assert some.remove_ranks("0,2").set_property("good").get_properties() == '{"fast": "3", "good": "1,3"}'
    some.set_property("odd", "1")
    some.expiration, some.starttime = 5, 4
    copied = some.copy()
    assert (copied.expiration, copied.starttime, copied.state) == (5.0, 4.0, "up")
    for name, ranks in (("", None), ("^no", None), ("far", "9")):
        with pytest.raises(ValueError):
            some.set_property(name, ranks)


def test_a_constraint_chooses_ranks() -> None:
    some = ResourceSet(R(properties={"fast": "0-1"}))
    for constraint, ranks in (
        ({"properties": ["fast"]}, "0-1"),
        ('{"properties": ["^fast"]}', "2-3"),
        ({"hostlist": ["n[1-2]"]}, "1-2"),
        ({"and": [{"ranks": ["0,3"]}, {"not": [{"properties": ["fast"]}]}]}, "3"),
    ):
        assert str(some.copy_constraint(constraint).ranks) == ranks
    with pytest.raises(ValueError):
        some.copy_constraint({"colour": []})


def test_what_a_scheduler_wrote_is_kept_if_it_is_wanted() -> None:
    told = R() | {"scheduling": {"graph": 1}}
    assert "scheduling" not in ResourceSet(told).to_dict()
    assert ResourceSet(told, keep_scheduling=True).to_dict()["scheduling"] == {"graph": 1}


# -- what is told -----------------------------------------------------------------------------------------------------


def test_what_is_up_and_free_follows_from_the_rest() -> None:
    found = SchedResourceList({"all": R(), "down": R("3"), "allocated": R("0", "0-1")})
    assert (found.up.dumps(), found.up.state) == ("rank[0-2]/core[0-3]", "up")
    assert found["free"].dumps() == "rank0/core[2-3] rank[1-2]/core[0-3]"
    assert found.copy_constraint({"ranks": ["0"]}).free.ncores == 2
    found.filter("n[2-9]")
    assert (str(found.all.ranks), str(found.up.ranks)) == ("2-3", "2")
    with pytest.raises(KeyError):
        found["sideways"]


def test_ranks_are_sorted_by_what_is_said_of_them() -> None:
    told = {
        "R": R("0-7"),
        "offline": "7",
        "online": "0-6",
        "exclude": "0",
        "torpid": "6",
        "drain": {"1-2": {"timestamp": 1.0, "reason": "fan"}, "3": {"timestamp": 2.0, "reason": ""}},
    }
    status = ResourceStatus(told, IDset("2,4"), IDset("5"))
    names = ("avail", "drained", "draining", "allocated", "housekeeping", "torpid", "offline")
    assert [str(status[name]) for name in names] == ["4-5,7", "1,3", "2", "2,4", "5", "6", "7"]
    assert str(status.get_idset("drained", "draining")) == "1-3"
    assert status.get_drain_info(2) == (IDset("1-2"), 1.0, "fan")
    assert status.get_drain_info(4) is None
    with pytest.raises(ValueError, match="invalid rank 9"):
        status.get_drain_info(9)
    status.filter("2-4")
    assert [str(status[name]) for name in ("all", "avail", "drained", "draining")] == ["2-4", "4", "3", "2"]
    assert str(ResourceStatus().all) == ""


# -- in a session -----------------------------------------------------------------------------------------------------


def test_an_instance_says_what_it_has(h: flux.Flux) -> None:
    found = flux.resource.resource_list(h).get()
    assert found.all.nnodes == 2
    assert found.free.ncores == found.all.ncores
    id = flux.job.submit(h, JobspecV1.from_command(["sleep", "inf"]))
    flux.job.event_wait(h, id, "start")
    status = flux.resource.resource_status(h).get()
    assert flux.resource.resource_list(h).get().allocated.ncores == 1
    assert (len(status.allocated), str(status.online)) == (1, "0-1")
    flux.job.cancel(h, id)
    flux.job.event_wait(h, id, "clean", raiseJobException=False)


def test_a_callback_gets_it_too(h: flux.Flux) -> None:
    found: list[int] = []
    flux.resource.resource_list(h).then(lambda future: found.append(future.get().all.nnodes))
    h.reactor_run()
    assert found == [2]


def test_a_drained_node_is_told(h: flux.Flux) -> None:
    h.rpc("resource.drain", {"targets": "1", "reason": "fan"}, nodeid=0).get()
    status = flux.resource.resource_status(h).get()
    assert str(status.drained) == "1"
    assert [info.reason for info in status.drain_info] == ["fan"]
    h.rpc("resource.undrain", {"targets": "1"}, nodeid=0).get()
