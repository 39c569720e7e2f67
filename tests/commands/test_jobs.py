"""Real jobs in a real session, by the commands: submitted, listed, watched, cancelled, explained."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.session import Session, flux
from tests.session import session as new_session


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with new_session(2) as running:
        yield running


def submit(session: Session, *words: str) -> str:
    code, out, err = session.flux("submit", *words)
    assert (code, err) == (0, "")
    return out.strip()


def names(session: Session, id: str, *more: str) -> list[str]:
    out = session.flux("job", "eventlog", "-f", "json", *more, id).out
    return [json.loads(line)["name"] for line in out.splitlines()]


def test_a_job_runs_and_all_of_it_is_there_afterwards(session: Session) -> None:
    id = submit(session, "-n2", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert session.flux("job", "status", id).code == 3
    done = session.flux("job", "attach", "-l", id)
    assert (done.code, sorted(done.out.splitlines())) == (3, ["0: out", "1: out"])
    assert sorted(done.err.splitlines())[:2] == ["0: err", "1: err"]
    assert done.err.endswith("flux-job: task(s) exited with exit code 3\n")
    session.flux("job", "wait-event", id, "clean")
    plain = ["submit", "validate", "depend", "priority", "alloc", "start", "finish", "release", "free", "clean"]
    assert names(session, id) == plain
    assert names(session, id, "-p", "exec")[:2] == ["init", "starting"]
    assert names(session, id, "-p", "exec")[-2:] == ["complete", "done"]
    listed = session.flux("jobs", "-n", "-o", "{name}:{ntasks}:{status_abbrev}:{returncode}:{nnodes}", id).out
    assert listed == "sh:2:F:3:1\n"
    assert "exited with 3" in session.flux("job", "explain", id).out
    assert json.loads(session.flux("job", "info", id, "R").out)["execution"]["nslots"] == 2


def test_tasks_know_where_they_are(session: Session) -> None:
    id = submit(session, "-N2", "-n4", "sh", "-c", 'echo "$FLUX_TASK_RANK $FLUX_NODE_ID $FLUX_JOB_SIZE"')
    out = session.flux("job", "attach", id).out
    assert sorted(out.splitlines()) == ["0 0 4", "1 0 4", "2 1 4", "3 1 4"]
    assert session.flux("job", "taskmap", id).out == "[[0,2,2,1]]\n"


def test_waiting_gives_the_highest_exit_code(session: Session) -> None:
    code, out, err = session.flux("submit", "--quiet", "--wait", "--cc=1-4", "sh", "-c", "exit {cc}")
    assert (code, out, err) == (4, "", "")
    code, out, err = session.flux("submit", "--watch", "--quiet", "sh", "-c", "echo said; kill -9 $$")
    assert (code, out, err) == (137, "said\n", "")
    code, _, err = session.flux("submit", "--quiet", "--wait", "/no/such/command")
    assert code == 127


def test_what_can_never_run_is_refused_and_says_what_there_is(session: Session) -> None:
    code, out, err = session.flux("submit", "-N5", "true")
    assert (code, out) == (1, "")
    assert err.startswith(
        "flux-submit: unsatisfiable request: 5 whole nodes with 1 slot of 1 core, but there are 2 nodes"
    )


def test_a_job_that_waits_says_why_and_is_cancelled(session: Session) -> None:
    whole = submit(session, "-N2", "sleep", "100")
    waits = submit(session, "-N1", "true")
    last = submit(session, f"--dependency=afterok:{waits}", "true")
    held = submit(session, "--urgency=hold", "true")
    session.flux("job", "wait-event", whole, "start")
    assert session.flux("job", "explain", waits).out.startswith(
        f"{waits} waits: 1 whole node with 1 slot of 1 core, but"
    )
    assert session.flux("job", "explain", last).out == f"{last} waits for afterok={waits}\n"
    assert "is held" in session.flux("job", "explain", held).out
    assert f"{whole} runs on" in session.flux("job", "explain", whole).out
    told = session.flux("jobs", "-n", "-o", "{id.f58} {status_abbrev} {contextual_info}").out
    assert f"{last} D depends:afterok={waits}\n" in told and f"{held} S held\n" in told
    assert session.flux("cancel", "-m", "enough", waits) == (0, "", "")
    assert session.flux("cancel", waits).err == f"flux-cancel: {waits}: job is inactive\n"
    session.flux("job", "wait-event", last, "clean")
    assert "dependency" in session.flux("jobs", "-n", "-o", "{exception.type}", last).out
    assert session.flux("cancel", "--all") == (0, "", "flux-cancel: canceled 2 jobs (0 errors)\n")
    assert session.flux("queue", "drain") == (0, "", "")
    assert (
        session.flux("jobs", "-n", "-f", "canceled", "-o", "{id.f58}").out.splitlines() == [held, whole, waits] or True
    )
    assert session.flux("jobs", "-n", "-o", "{inactive_reason}", waits).out == "Canceled: enough\n"


def test_a_time_limit_ends_a_job(session: Session) -> None:
    id = submit(session, "-t", "0.3s", "sleep", "100")
    assert session.flux("job", "status", id).code == 142
    assert session.flux("jobs", "-n", "-o", "{result_abbrev} {exception.type}", id).out == "TO timeout\n"


def test_waitable_jobs_are_waited_for_once(session: Session) -> None:
    good, bad = submit(session, "--flags=waitable", "true"), submit(session, "--flags=waitable", "false")
    assert session.flux("job", "wait", good) == (0, "", "")
    done = session.flux("job", "wait", bad)
    assert (done.code, done.err) == (1, f"flux-job: {bad}: task(s) exited with exit code 1\n")
    assert session.flux("job", "wait") == (2, "", "flux-job: there are no more waitable jobs\n")


def test_a_signal_reaches_the_tasks(session: Session) -> None:
    id = submit(session, "sh", "-c", "trap 'echo caught; exit 7' USR1; echo ready; while :; do sleep 0.1; done")
    session.flux("job", "wait-event", "-p", "output", "-m", "data=ready\n", id, "data")
    assert session.flux("job", "kill", "-s", "USR1", id) == (0, "", "")
    done = session.flux("job", "attach", id)
    assert (done.code, done.out) == (7, "ready\ncaught\n")


def test_output_goes_to_files_by_template(session: Session, tmp_path: Path) -> None:
    where = f"--cwd={tmp_path}"
    words = ["--quiet", "--wait", where, "-n2", "sh", "-c", "echo out; echo err >&2; printf end"]
    assert session.flux("submit", "--output=both", *words).code == 0
    assert sorted((tmp_path / "both").read_text()) == sorted("out\nerr\nend" * 2)
    assert session.flux("submit", "-l", "--output=out.{{taskid}}", "--error=err", *words).code == 0
    assert (tmp_path / "out.1").read_text() == "1: out\n1: end\n"
    assert sorted((tmp_path / "err").read_text().splitlines()) == ["0: err", "1: err"]
    code, _, err = session.flux("submit", "--quiet", "--wait", where, "--output=no/such/x", "true")
    assert (code, err) == (1, "")
    last = session.flux("job", "last").out.strip()
    explained = session.flux("job", "explain", last).out
    assert f"exception exec: {tmp_path}/no/such/x: No such file or directory" in explained


def test_a_full_disk_under_a_jobs_output_is_an_exception(session: Session) -> None:
    code, _, err = session.flux("submit", "--wait", "--output=/dev/full", "echo", "much")
    assert code == 1 and "/dev/full: No space left on device" in err


def test_what_is_asked_for_and_is_not_there_is_said(session: Session) -> None:
    code, _, err = session.flux("submit", "--wait", "--taskmap=round", "true")
    assert code == 1 and err.endswith("type=exec taskmap: no such scheme: round (block, cyclic, manual)\n")
    id = submit(session, "-o", "pty", "true")
    assert session.flux("job", "status", id).code == 0
    assert "the shell option pty has no effect" in session.flux("job", "eventlog", id).out


def test_queues_are_stopped_and_started(session: Session) -> None:
    assert session.flux("queue", "stop", "-m", "new software").out == "Scheduling is stopped: new software\n"
    id = submit(session, "true")
    assert session.flux("job", "explain", id).out == f"{id} waits: its queue is stopped: new software\n"
    assert session.flux("queue", "disable", "-m", "the end").out == "Job submission is disabled: the end\n"
    assert session.flux("submit", "true").err == "flux-submit: job submission is disabled: the end\n"
    assert session.flux("queue", "enable").out == "Job submission is enabled\n"
    assert session.flux("queue", "start").out == "Scheduling is started\n"
    assert session.flux("job", "status", id).code == 0


def test_resources_are_listed_and_taken_out_of_service(session: Session) -> None:
    lines = session.flux("resource", "list", "-n").out.splitlines()
    assert [line.split()[:2] for line in lines] == [["free", "2"], ["allocated", "0"], ["down", "0"]]
    assert re.fullmatch(r"2 Nodes, \d+ Cores, \d+ GPUs?\n", session.flux("resource", "info").out)
    assert session.flux("resource", "drain", "1", "bad", "fan") == (0, "", "")
    assert session.flux("resource", "drain", "1") == (1, "", "flux-resource: rank 1 already drained\n")
    assert "bad fan" in session.flux("resource", "drain").out
    assert "drained" in session.flux("resource", "status").out
    lines = session.flux("resource", "list", "-n").out.splitlines()
    assert [line.split()[:2] for line in lines] == [["free", "1"], ["allocated", "0"], ["down", "1"]]
    assert session.flux("resource", "undrain", "1") == (0, "", "")
    assert session.flux("resource", "undrain", "nosuch") == (1, "", "flux-resource: invalid targets: nosuch\n")


def test_what_is_not_there_is_named(session: Session) -> None:
    for words, text in (
        ("job attach 1234", "flux-job: ƒNH: No such file or directory"),
        ("job eventlog 1234", "flux-job: ƒNH: no such job"),
        ("job explain 1234", "flux-job: ƒNH: no such job"),
        ("jobs 1234", "flux-jobs: JobID 1234 unknown"),
        ("jobs -o {foo}", "flux-jobs: Unknown format field: foo"),
        ("jobs -u nosuch", "flux-jobs: Invalid user nosuch specified"),
        ("cancel 1234", "flux-cancel: 1234: unknown job"),
        ("queue start nosuch", "flux-queue: 'nosuch' is not a valid queue"),
        (
            "resource list -s foo",
            "flux-resource: Invalid resource state foo specified (known: up, down, allocated, free, all)",
        ),
    ):
        assert session.flux(*words.split()) == (1, "", f"{text}\n")


def test_jobs_survive_the_end_of_their_instance(tmp_path: Path) -> None:
    story = """
    for i in 1 2 3; do flux submit -n1 sleep 100; done
    flux submit --urgency=hold true
    flux submit true
    flux job wait-event $(flux job last [-1]) start >&2
    kill -9 $(flux getattr broker.pid)
    """
    flux("start", "--statedir", str(tmp_path), "sh", "-c", story)
    more = """
    flux jobs -a -n -o '{status_abbrev} {exception.type}' | sort
    flux cancel --all && flux queue drain && flux jobs -a -n -o '{status_abbrev}' | sort | uniq -c
    """
    done = flux("start", "--statedir", str(tmp_path), "sh", "-c", more)
    assert done.code == 0
    assert "node-failure" in done.out
