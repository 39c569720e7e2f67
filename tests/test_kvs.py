"""`flux.kvs` and `flux kvs` in a session of two brokers."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import flux
import flux.kvs
from flux.constants import FLUX_KVS_NO_MERGE, FLUX_KVS_READLINK, FLUX_KVS_SYNC, FLUX_KVS_TREEOBJ, FLUX_KVS_TXN_COMPACT
from flux.core.handle import Flux
from flux.kvs import KVSDir, KVSTxn

PROGRAM = [sys.executable, "-c", "import sys; from flux.commands.front import main; sys.exit(main())"]
TRANSCRIPTS = Path(__file__).parent / "vectors" / "transcripts"
EMPTY = "sha1-c0a9faf907dda6216fd73bf81d0b3b21a1a8cb91"


@pytest.fixture(scope="module")
def uri() -> Iterator[str]:
    """A session of two brokers that lasts for all tests of this file."""
    words = [*PROGRAM, "start", "--size", "2", "sh", "-c", "echo $FLUX_URI; exec cat"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as session:
        assert session.stdin is not None
        assert session.stdout is not None
        yield session.stdout.readline().strip()
        session.stdin.close()
        assert session.wait() == 0


@pytest.fixture
def h(uri: str) -> Iterator[Flux]:
    """A handle to the broker of rank 0; the store is empty."""
    with flux.Flux(uri) as handle:
        with KVSTxn(handle) as txn:
            for name in flux.kvs.get_dir(handle):
                txn.unlink(name)
        yield handle


class Kvs:
    """Runs `flux kvs` and keeps what came of it."""

    def __init__(self, uri: str, *words: str, input: bytes = b"", **env: str) -> None:
        done = subprocess.run(
            [*PROGRAM, "kvs", *words], input=input, capture_output=True, env=os.environ | {"FLUX_URI": uri} | env
        )
        self.code, self.raw = done.returncode, done.stdout
        self.out, self.err = done.stdout.decode(errors="replace"), done.stderr.decode()


# -- flux.kvs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [1, 2.5, "text", True, None, [1, {"a": "b"}], b"\xff\xfe", "ä", "x" * 1000, {}])
def test_values_come_back_as_they_went(h: Flux, value: object) -> None:
    flux.kvs.put(h, "a.b", value)
    flux.kvs.commit(h)
    assert flux.kvs.get(h, "a.b") == value


def test_what_is_not_json_is_text_and_what_is_not_text_is_bytes(h: Flux) -> None:
    for key, value in (("text", "not json"), ("bytes", b"\xff"), ("number", "42"), ("empty", "")):
        flux.kvs.put(h, key, value, raw=True)
    flux.kvs.commit(h)
    assert [flux.kvs.get(h, key) for key in ("text", "bytes", "number", "empty")] == ["not json", b"\xff", 42, None]


def test_nothing_happens_before_the_commit_and_then_all_of_it(h: Flux, uri: str) -> None:
    with flux.Flux(uri) as other:
        flux.kvs.put(h, "a", 1)
        flux.kvs.put_mkdir(h, "d")
        flux.kvs.put_symlink(h, "l", "a")
        assert not flux.kvs.exists(other, "a")
        flux.kvs.commit(h)
        assert flux.kvs.get(other, "l") == 1
        assert flux.kvs.isdir(other, "d") and not flux.kvs.isdir(other, "a") and not flux.kvs.isdir(other, "x")
        flux.kvs.put_unlink(h, "a")
        flux.kvs.commit(h)
        assert not flux.kvs.exists(other, "l") and flux.kvs.exists(other, "d")
        flux.kvs.commit(h)


def test_a_commit_that_fails_leaves_nothing_staged(h: Flux) -> None:
    flux.kvs.put(h, ".", 1)
    with pytest.raises(OSError, match=r"root cannot be replaced") as caught:
        flux.kvs.commit(h)
    assert caught.value.errno == errno.EINVAL
    flux.kvs.put(h, "a", 1)
    flux.kvs.commit(h)
    with pytest.raises(OSError, match=r"Invalid argument"):
        flux.kvs.put(h, "", 1)


def test_errors_name_the_key(h: Flux) -> None:
    flux.kvs.put_mkdir(h, "d")
    flux.kvs.commit(h, FLUX_KVS_NO_MERGE)
    with pytest.raises(FileNotFoundError, match=r"no\.such") as caught:
        flux.kvs.get(h, "no.such")
    assert caught.value.filename == "no.such"
    with pytest.raises(IsADirectoryError):
        flux.kvs.get_key_direct(h, "d")
    with pytest.raises(OSError, match=r"d") as other:
        flux.kvs.lookup(h, "d", FLUX_KVS_READLINK)
    assert other.value.errno == errno.EINVAL
    with pytest.raises(OSError, match=r"x") as missing:
        flux.kvs.exists(h, "x", namespace="nowhere")
    assert missing.value.errno == errno.ENOTSUP


def test_the_namespace_is_that_of_the_environment(h: Flux, monkeypatch: pytest.MonkeyPatch) -> None:
    assert flux.kvs.namespace_list(h) == ["primary"]
    monkeypatch.setenv("FLUX_KVS_NAMESPACE", "nowhere")
    with pytest.raises(OSError, match=r"a"):
        flux.kvs.get(h, "a")
    assert flux.kvs.exists(h, "a", namespace="primary") is False


def test_a_transaction_is_relative_to_its_path(h: Flux) -> None:
    with KVSTxn(h, "top") as txn:
        txn.put("a", 1)
        txn.put("log", "x", raw=True, append=True)
        txn.put("log", "y", raw=True, append=True)
        txn.mkdir("d")
        txn.symlink("l", "top.a")
        txn.unlink("a.none")
    assert flux.kvs.get(h, "top.l") == 1
    assert flux.kvs.get(h, "top.log") == "xy"
    txn.put("a", 2)
    txn.clear()
    txn.commit()
    assert flux.kvs.get(h, "top.a") == 1
    with KVSTxn(h, "top.") as other:
        other.put("b", 3)
        root = other.commit_async().get()
    assert set(root) == {"rootref", "rootseq"} and flux.kvs.get(h, "top.b") == 3


def test_appends_to_one_key_can_be_sent_as_one(h: Flux) -> None:
    txn = KVSTxn(h)
    for word in ("a", "b", "c"):
        txn.put("log", word, raw=True, append=True)
        txn.put(f"k{word}", 1)
    txn.commit(FLUX_KVS_TXN_COMPACT)
    assert flux.kvs.lookup(h, "log", FLUX_KVS_TREEOBJ)["type"] == "val"
    assert flux.kvs.get(h, "log") == "abc"
    txn.put("log", "d", append=True)
    txn.put("log", "e")
    with pytest.raises(OSError, match=r"log"):
        txn.commit(FLUX_KVS_TXN_COMPACT)


def test_sync_leaves_a_checkpoint(h: Flux) -> None:
    flux.kvs.put(h, "a", 1)
    flux.kvs.commit(h, FLUX_KVS_SYNC)
    root = h.rpc("kvs.getroot", {"namespace": "primary"}).get()
    for bypass in (False, True):
        assert flux.kvs.kvs_checkpoint_lookup(h, bypass)[0]["rootref"] == root["rootref"]


def test_a_directory_reads_and_stages_by_index(h: Flux) -> None:
    with flux.kvs.get_dir(h) as top:
        top.fill({"a": 1, "d.e.f": 2, "d.g": [3]})
        top["b"] = 4
    with KVSDir(h, "d") as d:
        assert list(d) == ["e", "g"] and len(d) == 2
        assert (list(d.files()), list(d.directories()), d.list_all()) == (["g"], ["e"], (["g"], ["e"]))
        assert d["e"]["f"] == 2 and d["g"] == [3] and d.key_at("g") == "d.g"
        assert d.exists("e.f") and not d.exists("x") and d.isdir("e") and not d.isdir("x") and not d.issymlink("g")
        with pytest.raises(KeyError, match="x not found under directory d"):
            d["x"]
        d["e"]["h"] = 5
        del d["g"]
        d.mkdir("m", {"n": 6})
    assert flux.kvs.get(h, "d.e.h") == 5
    assert flux.kvs.get(h, "d.m.n") == 6
    assert not flux.kvs.exists(h, "d.g")
    with pytest.raises(ValueError, match="flux_handle"):
        KVSDir()


def test_walk_goes_through_all_directories_either_way(h: Flux) -> None:
    flux.kvs.get_dir(h).fill({"a.b.c": 1, "a.d": 2, "e": 3})
    found = [(path, list(dirs), list(files)) for path, dirs, files in flux.kvs.walk(".", topdown=True, flux_handle=h)]
    assert found == [("", ["a"], ["e"]), ("a", ["b"], ["d"]), ("a.b", [], ["c"])]
    assert [path for path, _, _ in flux.kvs.walk(flux.kvs.get_dir(h, "a"))] == ["b", ""]
    assert flux.kvs.join("a", "", "b") == "a.b"
    with pytest.raises(ValueError, match="flux_handle"):
        flux.kvs.walk("a")


def test_every_broker_has_it(h: Flux, uri: str) -> None:
    with flux.Flux(uri.rpartition("-")[0] + "-1") as far:
        flux.kvs.put(far, "a", 1)
        flux.kvs.commit(far)
        assert flux.kvs.get(far, "a") == 1
        assert flux.kvs.get(h, "a") == 1


# -- flux kvs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["kvs-put", "kvs-get", "kvs-get-missing"])
def test_recorded_commands_say_what_they_said(h: Flux, uri: str, name: str) -> None:
    recorded = json.loads((TRANSCRIPTS / f"{name}.json").read_text())
    assert Kvs(uri, "put", "a.c=hello world").code == 0
    done = Kvs(uri, *recorded["command"][2:])
    assert (done.code, done.out, done.err) == (recorded["exit"], recorded["stdout"], recorded["stderr"])


def test_get_shows_values_in_the_form_that_is_asked_for(h: Flux, uri: str) -> None:
    assert Kvs(uri, "put", "--raw", "raw=-", input=b"a\0b\xff").code == 0
    assert Kvs(uri, "put", "a=1", "b=", "n=x\ny").code == 0
    assert Kvs(uri, "get", "a", "b", "n").out == "1\nx\ny\n"
    assert Kvs(uri, "get", "--label", "a", "b").out == "a=1\nb="
    assert Kvs(uri, "get", "raw").raw == b"a\n"
    assert Kvs(uri, "get", "--raw", "raw").raw == b"a\0b\xff"
    assert Kvs(uri, "get", "--treeobj", "a").out == '{"data":"MQ==","type":"val","ver":1}\n'
    assert Kvs(uri, "put", "--treeobj", "t=-", input=b'{"ver":1,"type":"val","data":"MQ=="}').code == 0
    assert Kvs(uri, "get", "t").out == "1\n"


def test_a_snapshot_can_be_looked_into(h: Flux, uri: str) -> None:
    then = Kvs(uri, "put", "-O", "a.b=1").out.strip()
    assert then == Kvs(uri, "getroot").out.strip()
    Kvs(uri, "put", "a.b=2")
    assert Kvs(uri, "get", "--at", then, "a.b").out == "1\n"
    assert Kvs(uri, "dir", "--at", then, "a").out == "a.b = 1\n"
    assert Kvs(uri, "get", "--at", "{", "a.b").err == "flux-kvs: a.b: tree object is not JSON\n"


def test_appends_add_up(h: Flux, uri: str) -> None:
    for word in ("one", "two"):
        assert Kvs(uri, "put", "--append", f"log={word}").code == 0
    assert Kvs(uri, "get", "log").out == "onetwo\n"
    Kvs(uri, "mkdir", "d")
    assert Kvs(uri, "put", "--append", "d=x").err == "flux-kvs: flux_kvs_commit: Is a directory\n"


def test_links_and_directories(h: Flux, uri: str) -> None:
    assert Kvs(uri, "put", "a.b=1").code == Kvs(uri, "link", "a.b", "l").code == Kvs(uri, "mkdir", "e.f", "g").code == 0
    assert Kvs(uri, "link", "-T", "other", "x", "far").code == 0
    assert Kvs(uri, "readlink", "l", "far").out == "a.b\nother::x\n"
    assert Kvs(uri, "readlink", "-o", "far").out == "other\n"
    assert Kvs(uri, "readlink", "-k", "far").out == "x\n"
    assert Kvs(uri, "readlink", "a").err == "flux-kvs: a: Invalid argument\n"
    assert Kvs(uri, "get", "l").out == "1\n"
    assert Kvs(uri, "ls").out == "a      e      far    g      l\n"
    assert Kvs(uri, "ls", "-F").out == "a.     e.     far@   g.     l@\n"
    assert Kvs(uri, "ls", "-1", "-d", "a", "l").out == "a\nl\n"
    assert Kvs(uri, "ls", "-R", "e", "l").out == "l\n\ne:\nf\n\ne.f:\n"
    assert Kvs(uri, "ls", "-w", "14").out == "a      e\nfar    g\nl\n"
    assert Kvs(uri, "dir").out == "a.\ne.\nfar -> other::x\ng.\nl -> a.b\n"
    assert Kvs(uri, "dir", "-R").out == "a.b = 1\ne.f.\nfar -> other::x\ng.\nl -> a.b\n"
    assert Kvs(uri, "dir", "-d", "a.").out == "a.b\n"


def test_long_and_many_line_values_are_cut_to_the_width(h: Flux, uri: str) -> None:
    Kvs(uri, "put", "a=" + "x" * 100, "b=one\ntwo", "c=one\n", "d=short")
    assert Kvs(uri, "dir", "-w", "20").out == f"a = {'x' * 13}...\nb = one...\nc = one\nd = short\n"
    assert Kvs(uri, "dir", COLUMNS="30").out.splitlines()[0] == f"a = {'x' * 23}..."
    assert Kvs(uri, "dir", "-w", "0").out == f"a = {'x' * 100}\nb = one\ntwo\nc = one\n\nd = short\n"


def test_ls_goes_on_after_a_key_that_is_not_there(h: Flux, uri: str) -> None:
    Kvs(uri, "put", "a=1", "d.e=1")
    done = Kvs(uri, "ls", "nope", "a.", "a", "d.")
    assert done.out == "a\n\nd:\ne\n"
    assert done.err == "nope: No such file or directory\na: Not a directory\n"
    assert done.code == 1


def test_unlink_asks_before_it_takes_much(h: Flux, uri: str) -> None:
    Kvs(uri, "put", "a.b=1", "c=1", "d.e=1")
    assert Kvs(uri, "unlink", "c", "a").err == "flux-kvs: cannot unlink 'a': Directory not empty\n"
    assert Kvs(uri, "unlink", "x").err == "flux-kvs: cannot unlink 'x': No such file or directory\n"
    assert (
        Kvs(uri, "unlink", "-f", "x", "c").code == Kvs(uri, "unlink", "a.b").code == Kvs(uri, "unlink", "a").code == 0
    )
    assert Kvs(uri, "unlink", "-R", "d").code == 0
    assert Kvs(uri, "ls").out == ""


def test_copies_and_moves(h: Flux, uri: str) -> None:
    Kvs(uri, "put", "a.b=1")
    assert Kvs(uri, "copy", "a", "c").code == Kvs(uri, "move", "a.b", "d").code == 0
    assert Kvs(uri, "dir", "-R").out == "a.\nc.b = 1\nd = 1\n"
    assert "flux_kvs_copy" in Kvs(uri, "copy", "x", "y").err


def test_roots_and_versions(h: Flux, uri: str) -> None:
    before = int(Kvs(uri, "version").out)
    assert Kvs(uri, "put", "--sequence", "a=1").out == f"{before + 1}\n"
    ref = Kvs(uri, "mkdir", "--blobref", "b").out
    assert Kvs(uri, "getroot", "--blobref").out == ref and ref.startswith("sha1-")
    assert Kvs(uri, "getroot", "-s").out == f"{before + 2}\n"
    assert Kvs(uri, "getroot", "-o").out == f"{os.getuid()}\n"
    assert Kvs(uri, "wait", str(before + 2)).code == Kvs(uri, "sync").code == 0
    assert Kvs(uri, "unlink", "-R", "-s", "a", "b").out == f"{before + 4}\n"
    assert Kvs(uri, "getroot", "-b").out == EMPTY + "\n"


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["get", "."], ".: Is a directory"),
        (["get", "no.such.key"], "no.such.key: No such file or directory"),
        (["get", ""], "Invalid argument"),
        (["get", "-N", "none", "a"], "a: Operation not supported"),
        (["dir", "nope"], "nope: No such file or directory"),
        (["put", "a"], "put: you must specify a value as key=value"),
        (["put", ".=1"], "flux_kvs_commit: Invalid argument"),
        (["put", "-t", "a={"], "a: tree object is not JSON"),
        (["version", "-N", "none"], "flux_kvs_get_version: Operation not supported"),
        (["wait", "-N", "none", "1"], "flux_kvs_wait_version: Operation not supported"),
        (["getroot", "-b", "-N", "none"], "flux_kvs_getroot_get_blobref: Operation not supported"),
    ],
)
def test_what_goes_wrong_is_one_line(h: Flux, uri: str, words: list[str], text: str) -> None:
    done = Kvs(uri, *words)
    assert (done.code, done.out, done.err) == (1, "", f"flux-kvs: {text}\n")


@pytest.mark.parametrize(
    "words", [[], ["nope"], ["get"], ["put"], ["link", "a"], ["wait", "x"], ["get", "--nope", "a"]]
)
def test_a_wrong_command_line_is_one_line_too(uri: str, words: list[str]) -> None:
    done = Kvs(uri, *words)
    assert done.code == 2 and done.out == ""
    assert done.err.startswith("flux-kvs: ") and done.err.count("\n") == 1


def test_every_command_explains_itself(uri: str) -> None:
    from flux.commands.kvs import COMMANDS

    overview = Kvs(uri, "--help").out
    for name in COMMANDS:
        shown = Kvs(uri, name, "--help")
        assert shown.code == 0 and f"usage: flux kvs {name}" in shown.out and f"flux kvs {name}" in shown.out
        assert f"    {name} " in overview


def test_getting_a_value_imports_little() -> None:
    code = "import sys, flux.commands.kvs; print(*sys.modules)"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert not loaded & {"asyncio", "rich", "zmq", "json", "hashlib", "socket", "subprocess"}
