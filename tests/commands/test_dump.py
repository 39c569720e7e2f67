"""`flux dump`, `flux restore`, `flux content`: as typed, against a real session."""

import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import flux
import flux.kvs
from flux.base import treeobj
from tests.session import Session
from tests.session import session as running

EMPTY = "sha1-c0a9faf907dda6216fd73bf81d0b3b21a1a8cb91"


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with running(size=2) as made:
        with flux.Flux(made.uri) as h:
            for number in range(600):
                flux.kvs.put(h, f"d.many.k{number:03}", number)
            flux.kvs.put(h, "d.large", bytes(range(256)) * 8)
            flux.kvs.put(h, "d.small", "x")
            flux.kvs.put(h, "d.none", b"")
            flux.kvs.put_symlink(h, "d.link", "d.small")
            flux.kvs.put_mkdir(h, "d.empty")
            flux.kvs.commit(h)
        yield made


@pytest.mark.parametrize("ending", ["tar", "tgz", "tar.bz2", "tar.xz", "zip"])
def test_what_is_dumped_is_restored_value_for_value(session: Session, tmp_path: Path, ending: str) -> None:
    file, key = str(tmp_path / f"a.{ending}"), f"r_{ending.replace('.', '_')}"
    assert (session.flux("dump", file).code, session.flux("restore", "-q", "--key", key, file).err) == (0, "")
    with flux.Flux(session.uri) as h:
        assert [flux.kvs.get(h, f"{key}.d.many.k{number:03}") for number in (0, 77, 599)] == [0, 77, 599]
        assert len(flux.kvs.get_dir(h, f"{key}.d.many").entries) == 600
        assert flux.kvs.get(h, f"{key}.d.large") == bytes(range(256)) * 8
        assert (flux.kvs.get(h, f"{key}.d.small"), flux.kvs.get(h, f"{key}.d.none")) == ("x", None)
        assert not flux.kvs.exists(h, f"{key}.d.empty"), "empty directories are not in archives"
    assert session.flux("kvs", "readlink", f"{key}.d.link").out == "d.small\n"
    session.flux("kvs", "unlink", "-R", key)


def test_an_archive_has_a_file_for_each_key(session: Session, tmp_path: Path) -> None:
    done = session.flux("dump", "-v", str(tmp_path / "a.tar"))
    with tarfile.open(tmp_path / "a.tar") as archive:
        names = archive.getnames()
        small, link = archive.getmember("d/small"), archive.getmember("d/link")
    assert done.err.split() == names and len([name for name in names if name.startswith("d/")]) == 604
    assert (small.mode, small.size, link.issym(), link.linkname) == (0o644, 3, True, "d.small")
    session.flux("dump", str(tmp_path / "a.zip"))
    with zipfile.ZipFile(tmp_path / "a.zip") as zipped:
        assert zipped.namelist() == names


def test_values_over_a_limit_are_left_out_and_said(session: Session, tmp_path: Path) -> None:
    file = str(tmp_path / "a.tar")
    session.flux("dump", file)
    said = session.flux("restore", "--size-limit", "1k", "--key", "limited", file).err
    assert said.splitlines()[0] == "flux-restore: d/large exceeds 1024 bytes, skipping"
    assert session.flux("kvs", "get", "limited.d.large").code == 1
    assert session.flux("kvs", "get", "limited.d.small").out == '"x"\n'
    session.flux("kvs", "unlink", "-R", "limited")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("dump", "/nonexistent/a.tar"), "flux-dump: /nonexistent/a.tar: No such file or directory\n"),
        (
            ("dump", "a.iso"),
            "flux-dump: a.iso: no such kind of archive: there are .tar, .tgz, .tar.bz2, .tar.xz, .zip\n",
        ),
        (
            ("dump", "a.nosuch"),
            "flux-dump: a.nosuch: no such kind of archive: there are .tar, .tgz, .tar.bz2, .tar.xz, .zip\n",
        ),
        (("restore", "--key=a", "/nonexistent"), "flux-restore: /nonexistent: No such file or directory\n"),
        (
            ("restore", "--key=a", "/etc/passwd"),
            "flux-restore: /etc/passwd: not an archive that can be read: file could not be opened successfully\n",
        ),
        (("content", "load", "sha1-x"), "flux-content: 'sha1-x' is not a blobref\n"),
        (("content", "checkpoint", "update", "x"), "flux-content: 'x' is not a blobref\n"),
        (
            ("content", "checkpoint", "update", EMPTY),
            "flux-content: please unload kvs module before updating checkpoint\n",
        ),
    ],
)
def test_what_is_wrong_is_one_line(session: Session, words: tuple[str, ...], said: str) -> None:
    done = session.flux(*words)
    assert (done.code, done.out, done.err) == (1, "", said)


def test_half_an_archive_is_not_left_behind(session: Session, tmp_path: Path) -> None:
    with flux.Flux(session.uri) as h:
        ref = "sha1-" + "7" * 40
        txn = flux.kvs.KVSTxn(h)
        txn.stage("lost", treeobj.valref([ref]))
        txn.commit()
    done = session.flux("dump", str(tmp_path / "a.tar"))
    assert done.code == 1 and done.err.startswith(f"flux-dump: lost: {ref}: ")
    assert not list(tmp_path.iterdir())
    done = session.flux("dump", "--ignore-failed-read", str(tmp_path / "a.tar"))
    assert done.code == 0 and done.err.startswith("flux-dump: lost: ")
    session.flux("kvs", "unlink", "lost")


def test_blobs_come_back_as_they_went(session: Session) -> None:
    ref = session.flux("content", "store", stdin="hello\n").out.strip()
    assert ref == "sha1-f572d396fae9206628714fb2ce00f72e94f2258f"
    assert session.flux("content", "load", ref, EMPTY).out == 'hello\n{"data":{},"type":"dir","ver":1}'
    assert session.flux("content", "load", "-b", stdin=f"{ref}\n{ref}\n").out == "hello\nhello\n"
    refs = session.flux("content", "store", "--chunksize", "4", stdin="aaaabbbbc").out.split()
    assert len(refs) == 3 and session.flux("content", "load", *refs).out == "aaaabbbbc"
    assert [session.flux("content", word).code for word in ("flush", "dropcache")] == [0, 0]
    assert session.flux("content", "load", ref).out == "hello\n"


def test_checkpoints_are_listed_the_latest_first(session: Session) -> None:
    session.flux("kvs", "sync")
    lines = session.flux("content", "checkpoint", "list").out.splitlines()
    assert lines[0].split() == ["Index", "Sequence", "Time", "Rootref"]
    root = session.flux("kvs", "getroot", "-b").out.strip()
    assert lines[1].split()[-1] == root
    assert session.flux("content", "checkpoint", "list", "-n").out.splitlines() == lines[1:]
