"""Sessions with a state directory: what outlives them, and what they refuse."""

import json
import os
import re
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.session import FLUX, Done, Session, flux, session
from tests.soak import crash


def start(where: Path, *words: str) -> Done:
    return flux("start", "--statedir", str(where), *words)


def ours(text: str) -> list[str]:
    """The lines that are not about what the instance itself has in the store: its resources."""
    return [line for line in text.splitlines() if not line.startswith("resource")]


def script(where: Path, text: str) -> str:
    code, out, err = start(where, "sh", "-c", text)
    assert (code, err) == (0, "")
    return out


def test_the_next_session_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    where = tmp_path / "state"
    before = script(where, "flux kvs put a.b=1 c=2 && flux kvs getroot && flux getattr statedir").splitlines()
    assert before[1] == str(where)
    after = script(where, "flux kvs getroot && flux kvs get a.b && flux kvs put d=3").splitlines()
    assert after == [before[0], "1"]
    assert ours(script(where, "flux kvs dir")) == ["a.", "c = 2", "d = 3"]


def test_files_in_it_outlive_the_session_and_a_sudden_end_as_well(tmp_path: Path) -> None:
    files = "-Scontent.backing-module=content-files"
    code, _, err = start(tmp_path, files, "sh", "-c", "flux kvs put a.b=1 && kill -9 $(flux getattr broker.pid)")
    assert code, err
    done = start(tmp_path, files, "sh", "-c", "flux kvs get a.b && flux kvs put a.b=2 && flux gc >&2 && flux fsck >&2")
    assert (done.code, done.out) == (0, "1\n"), done.err
    assert start(tmp_path, files, "flux", "kvs", "get", "a.b").out == "2\n"
    assert (tmp_path / "content.files" / "roots").is_file() and not (tmp_path / "content.sqlite").exists()


def test_it_is_named_by_an_attribute_as_well(tmp_path: Path) -> None:
    for said in ("", "1\n"):
        done = flux("start", "-s2", f"-Sstatedir={tmp_path}/x", "sh", "-c", "flux kvs get a; flux kvs put a=1")
        assert done.out == said


def test_without_one_nothing_is_left(tmp_path: Path) -> None:
    done = flux("start", "sh", "-c", "flux kvs put a=1; flux getattr statedir; ls $(flux getattr statedir)")
    where, *files = done.out.splitlines()
    assert files == ["content.sqlite"] and not os.path.exists(where)


def test_one_that_is_to_be_cleaned_up_is_gone_afterwards(tmp_path: Path) -> None:
    assert start(tmp_path / "state", "-Sstatedir-cleanup=1", "flux", "kvs", "put", "a=1").code == 0
    assert list(tmp_path.iterdir()) == []


def test_one_that_is_in_use_is_refused_by_who_has_it(tmp_path: Path) -> None:
    with session(1, "--statedir", str(tmp_path)) as running:
        pid = running.flux("getattr", "broker.pid").out.strip()
        code, _, err = start(tmp_path, "true")
        assert code == 1
        assert err.startswith(f"flux-broker: rank 0: statedir {tmp_path}: in use by process {pid} on ")
        assert running.flux("kvs", "put", "a=1").code == 0
    assert start(tmp_path, "true").code == 0


def test_what_cannot_be_one_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for where, why in ((tmp_path / "file", "Not a directory"), (tmp_path / "a" / "b", "No such file or directory")):
        assert start(where, "true") == (1, "", f"flux-start: statedir {where}: {why}\n")


def refused(where: Path, *words: str) -> str:
    """What a session says that does not start."""
    code, out, err = start(where, *words, "true")
    assert (code, out) == (1, "")
    line, end = err.splitlines()
    assert re.fullmatch(r"flux-start: 0 \(pid \d+\) exited with rc=1", end)
    return line.removeprefix(f"flux-broker: rank 0: content-sqlite: {where}/content.sqlite: ")


def test_a_database_that_is_damaged_or_not_ours_is_refused_and_kept(tmp_path: Path) -> None:
    for number in range(5):
        script(tmp_path, f"flux kvs put a.b{number}=$(seq -s, 1000) c{number}=2")
    path = tmp_path / "content.sqlite"
    whole = path.read_bytes()
    changed = bytearray(whole)
    changed[8192:12288] = bytes(4096)
    cases = {
        whole[:-4096]: "database disk image is malformed",
        bytes(changed): "is damaged: ",
        b"my thesis" * 1000: "file is not a database",
    }
    for content, why in cases.items():
        path.write_bytes(content)
        assert refused(tmp_path).startswith(why)
        assert path.read_bytes() == content
    path.write_bytes(whole)
    assert refused(tmp_path, "-Scontent.hash=sha256") == "has sha1 blobs, content.hash is sha256"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 9")
    assert refused(tmp_path) == "is of format 9, this program knows 1"


@pytest.mark.parametrize("seed", range(2))
def test_a_session_that_is_killed_comes_back_with_all_that_was_acknowledged(seed: int) -> None:
    crash.play(seed)


FULL_DISK = """
i=0
while flux kvs put a.k$i=$(head -c 60000 /dev/urandom | base64 -w0); do i=$((i+1)); done
flux kvs get a.k$((i-1)) | wc -c
flux kvs get a.k$i
rm $BALLAST
flux kvs put b=1 && flux kvs get b && flux fsck -q && echo whole
"""
IN_A_SMALL_FILE_SYSTEM = """
mount -t tmpfs -o size=3m none "$0" && cd "$0" && head -c 1000000 /dev/zero >ballast &&
BALLAST=$PWD/ballast flux start --statedir state sh -c "$1" && flux start --statedir state flux kvs get b
"""


def can_mount(where: Path) -> bool:
    return (
        subprocess.run(["unshare", "-rm", "mount", "-t", "tmpfs", "none", where], capture_output=True).returncode == 0
    )


def test_a_full_disk_refuses_commits_and_nothing_is_lost(tmp_path: Path) -> None:
    if not can_mount(tmp_path):
        pytest.skip("file systems of one's own are not allowed here")
    words = ["unshare", "-rm", "sh", "-c", IN_A_SMALL_FILE_SYSTEM, str(tmp_path), FULL_DISK]
    env = os.environ | {"PATH": f"{Path(FLUX).parent}:{os.environ['PATH']}"}
    done = subprocess.run(words, capture_output=True, text=True, env=env)
    assert (done.returncode, done.stdout) == (0, "80001\n1\nwhole\n1\n")
    refused, missing = done.stderr.splitlines()
    assert refused.endswith(f"{tmp_path}/state/content.sqlite: database or disk is full")
    assert missing.endswith(": No such file or directory")


# -- flux gc, flux fsck ------------------------------------------------------------------------------------------------


def blob_of(running: Session, key: str) -> bytes:
    found = json.loads(running.flux("kvs", "get", "--treeobj", key).out)
    return bytes.fromhex(found["data"][0].partition("-")[2])


def damage(where: Path, key: bytes, sql: str = "DELETE FROM objects WHERE hash = ?") -> None:
    with closing(sqlite3.connect(where / "content.sqlite")) as connection:
        assert connection.execute(sql, (key,)).rowcount == 1
        connection.commit()


LONG = "x" * 1000
OTHER = "y" * 1000


def test_gc_removes_what_nothing_leads_to() -> None:
    with session(2) as running:
        for number in range(10):
            running.flux("kvs", "put", f"a={number}", f"b={LONG}")
        told = re.match(r"marked (\d+) blobs, reclaimed (\d+) \(", running.flux("gc").out)
        assert told is not None and 3 <= int(told[1]) <= 6 and int(told[2]) >= 9
        code, out, err = running.flux("gc", "--json")
        assert (code, err) == (0, "")
        assert {key: value for key, value in json.loads(out).items() if key in ("phase", "marked", "swept")} == {
            "phase": "done",
            "marked": int(told[1]),
            "swept": 0,
        }
        assert running.flux("kvs", "get", "b").out == f"{LONG}\n"
        code, out, err = running.flux("gc", "-v")
        assert re.fullmatch(
            r"marked [3-6] blobs, reclaimed 0 .*\nfile: \d+ bytes before, \d+ now, \d+ of them free\n", out
        )


def test_gc_says_so_when_there_is_nobody_to_do_it() -> None:
    with session(1, "-Scontent.backing-module=none") as running:
        said = "flux-gc: the backing store does not collect garbage, or there is none\n"
        assert running.flux("gc") == (1, "", said)


def test_a_sound_store_is_checked_in_a_line() -> None:
    with session(2) as running:
        running.flux("kvs", "put", "a.b=1", f"c={LONG}")
        code, out, err = running.flux("fsck")
        assert (code, err) == (0, "")
        assert re.fullmatch(r"Checking integrity of checkpoint from \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\n", out)
        assert running.flux("fsck", "-q") == (0, "", "")
        code, out, err = running.flux("fsck", "-v")
        assert set(ours(err)) == {"a", "a.b", "c", "Total errors: 0"}
        assert running.flux("fsck", "-r", "sha1-" + "0" * 40) == (1, "", ".: missing dirref blobref\n")
        assert running.flux("fsck", "-r", "c").code == 2


def test_what_is_damaged_is_listed_by_key_and_repaired(tmp_path: Path) -> None:
    with session(1, "--statedir", str(tmp_path)) as running:
        running.flux("kvs", "put", f"a.lost={LONG}", f"a.wrong={OTHER}", "a.good=1", "d.e.f=1")
        damage(tmp_path, blob_of(running, "a.lost"))
        damage(tmp_path, blob_of(running, "d.e"))
        damage(
            tmp_path, blob_of(running, "a.wrong"), "UPDATE objects SET object = zeroblob(9), size = 9 WHERE hash = ?"
        )
        code, _, err = running.flux("fsck", "-q")
        assert code == 1
        total, lost, wrong, directory = sorted(err.splitlines())
        assert (lost, total) == ("a.lost: missing blobref(s)", "Total errors: 3")
        assert wrong.startswith("a.wrong: error retrieving blobref(s): blob ")
        assert directory == "d.e: missing dirref blobref"
        refusal = running.flux("gc")
        assert refusal.code == 1 and "is missing or damaged (see flux fsck): nothing was removed" in refusal.err
        repaired = running.flux("fsck", "--repair", "-q")
        assert repaired.code == 1
        assert repaired.err.splitlines()[-3:] == [
            "Total repairs: 2",
            "Total unlinked directories: 1",
            "Total errors: 3",
        ]
        assert running.flux("fsck", "-q") == (0, "", "")
        keys = ours(running.flux("kvs", "dir", "-R").out)
        assert keys == ["a.good = 1", "d.", "lost+found.a.lost = ", "lost+found.a.wrong = "]
    assert script(tmp_path, "flux kvs get a.good") == "1\n"


def test_a_damaged_job_is_moved_as_a_whole(tmp_path: Path) -> None:
    job = "job.0000.1111.2222.3333"
    with session(1, "--statedir", str(tmp_path)) as running:
        running.flux("kvs", "put", f"{job}.log={LONG}", f"{job}.R=1", f"{job}.guest.x=2", "other=1")
        damage(tmp_path, blob_of(running, f"{job}.log"))
        repaired = running.flux("fsck", "-R", "-j")
        assert f"{job} moved to lost+found" in repaired.err.splitlines()
        keys = ours(running.flux("kvs", "dir", "-R").out)
        moved = [f"lost+found.{job}.{entry}" for entry in ("R = 1", "guest.x = 2", "log = ")]
        assert keys == ["job.0000.1111.2222.", *moved, "other = 1"]


def test_the_store_can_be_repaired_while_nobody_serves_it(tmp_path: Path) -> None:
    with session(1, "--statedir", str(tmp_path)) as running:
        running.flux("kvs", "put", f"a.lost={LONG}", "b=1")
        damage(tmp_path, blob_of(running, "a.lost"))
        running.flux("module", "remove", "kvs")
        assert running.flux("fsck", "-R").code == 1
        assert running.flux("kvs", "get", "b").code == 1
        running.flux("module", "load", "kvs")
        assert running.flux("fsck", "-q").code == 0
        assert running.flux("kvs", "get", "b").out == "1\n"
