"""What a task finds in its environment."""

from flux.shell.environment import node_environment, task_environment
from flux.shell.job import Job
from flux.shell.place import Place


def job(**environment: str) -> Job:
    return Job(
        id=6731191091817518,
        node=1,
        ranks=[3, 7],
        leader=3,
        taskmap=[[0, 2, 2, 1]],
        command=["true"],
        environment=environment,
    )


def test_a_task_learns_who_and_where_it_is() -> None:
    env = task_environment(node_environment(job(), Place("local:///run/x", "/run/jobtmp")), 3, 1)
    assert env == {
        "FLUX_JOB_ID": "ƒuZZybuNNy",
        "FLUX_JOB_ID_PATH": "/ƒuZZybuNNy",
        "FLUX_JOB_NNODES": "2",
        "FLUX_JOB_SIZE": "4",
        "FLUX_JOB_TMPDIR": "/run/jobtmp",
        "FLUX_LOCAL_RANKS": "2,3",
        "FLUX_NODE_ID": "1",
        "FLUX_TASK_LOCAL_ID": "1",
        "FLUX_TASK_RANK": "3",
        "FLUX_URI": "local:///run/x",
        "PMI_RANK": "3",
        "PMI_SIZE": "4",
    }


def test_the_user_s_variables_stay_and_those_of_an_outer_job_go() -> None:
    outer = {"PMI_FD": "7", "PMIX_RANK": "0", "FLUX_PROXY_REMOTE": "h", "FLUX_JOB_TMPDIR": "/x", "FLUX_JOB_ID": "f1"}
    env = node_environment(job(HOME="/home/me", **outer), Place("uri"))
    assert env["HOME"] == "/home/me"
    assert env["FLUX_JOB_ID"] == "ƒuZZybuNNy"
    assert not {"PMI_FD", "PMIX_RANK", "FLUX_PROXY_REMOTE", "FLUX_JOB_TMPDIR"} & env.keys()


def test_a_job_of_a_job_knows_the_way_to_it() -> None:
    env = node_environment(job(FLUX_JOB_ID_PATH="/ƒ1"), Place("uri", path="/ƒ1/ƒ2"))
    assert env["FLUX_JOB_ID_PATH"] == "/ƒ1/ƒ2/ƒuZZybuNNy"


def test_the_host_is_the_one_that_the_task_is_on() -> None:
    place = Place("uri", hostname="here")
    assert node_environment(job(HOSTNAME="there"), place)["HOSTNAME"] == "here"
    assert "HOSTNAME" not in node_environment(job(), place)
