"""Tree objects (RFC 11): what is one, and the one way to write it."""

import errno
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flux.base import blobref, treeobj

REF = "sha1-c0a9faf907dda6216fd73bf81d0b3b21a1a8cb91"
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["ver", "type", "data"]) | st.text(), inner),
)


@given(st.binary())
def test_a_val_holds_any_bytes(value: bytes) -> None:
    assert treeobj.value_of(treeobj.validate(treeobj.val(value))) == value


def test_an_empty_directory_is_the_blob_that_everybody_knows() -> None:
    text = treeobj.encode(treeobj.directory())
    assert text == b'{"data":{},"type":"dir","ver":1}'
    assert blobref.BlobHash("sha1").blobref(text) == REF


def test_directories_encode_sorted_whatever_order_they_were_made_in() -> None:
    one, two = treeobj.val(b"1"), treeobj.val(b"2")
    assert treeobj.encode(treeobj.directory({"b": two, "a": one})) == treeobj.encode(
        treeobj.directory({"a": one, "b": two})
    )


@given(st.dictionaries(st.text(), st.binary().map(treeobj.val)))
def test_directories_read_back(entries: dict[str, treeobj.Treeobj]) -> None:
    made = treeobj.directory(entries)
    assert treeobj.decode(treeobj.encode(made)) == made
    assert json.loads(treeobj.encode(made)) == made


def test_control_characters_are_escaped_in_capitals() -> None:
    made = treeobj.encode(treeobj.directory({"a\x1f\\u001f\n/é": treeobj.symlink("x")}))
    assert b'"a\\u001F\\\\u001f\\n/\xc3\xa9"' in made


def test_a_link_gives_its_namespace_and_target() -> None:
    assert treeobj.link_of(treeobj.symlink("a.b")) == (None, "a.b")
    assert treeobj.link_of(treeobj.validate(treeobj.symlink("a.b", "other"))) == ("other", "a.b")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "[]",
        "{}",
        '{"ver":1}',
        '{"ver":2,"type":"val","data":""}',
        '{"ver":true,"type":"val","data":""}',
        '{"ver":1,"type":"val","data":1}',
        '{"ver":1,"type":"val","data":"","more":1}',
        '{"ver":1,"type":"x","data":1}',
        '{"ver":1,"type":"valref","data":[]}',
        '{"ver":1,"type":"dirref","data":["sha1-00"]}',
        '{"ver":1,"type":"dirref","data":"' + REF + '"}',
        '{"ver":1,"type":"dirref","data":["' + REF.upper() + '"]}',
        '{"ver":1,"type":"dir","data":{"a":1}}',
        '{"ver":1,"type":"dir","data":[]}',
        '{"ver":1,"type":["val"],"data":""}',
        '{"ver":1,"type":"symlink","data":{}}',
        '{"ver":1,"type":"symlink","data":{"target":"a","namespace":1}}',
        '{"ver":1,"type":"symlink","data":{"target":"a","more":[]}}',
        '{"ver":1,"type":"dir","data":{"a":' * 300 + "1" + "}}" * 300,
    ],
)
def test_what_is_no_tree_object_is_refused_with_einval(text: str) -> None:
    with pytest.raises(OSError, match=r".") as caught:
        treeobj.decode(text)
    assert caught.value.errno == errno.EINVAL


@given(json_values)
def test_no_value_raises_anything_but_einval(value: object) -> None:
    try:
        treeobj.validate(value)
    except OSError as error:
        assert error.errno == errno.EINVAL


def test_a_val_that_is_not_base64_has_no_value() -> None:
    for data in ("M", "M Q==", "MQ==MQ==", "é"):
        with pytest.raises(OSError, match="base64"):
            treeobj.value_of({"ver": 1, "type": "val", "data": data})


@given(st.binary(), st.sampled_from(["sha1", "sha256"]))
def test_a_blobref_is_its_digest_in_text(blob: bytes, name: str) -> None:
    hashed = blobref.BlobHash(name)
    assert blobref.is_blobref(hashed.blobref(blob))
    assert blobref.digest(hashed.blobref(blob)) == hashed.digest(blob)
    assert hashed.name_digest(hashed.digest(blob)) == hashed.blobref(blob)
    assert len(hashed.digest(blob)) == hashed.size


def test_what_is_no_blobref_is_refused() -> None:
    for text in ("", "sha1-", "sha1", "md5-" + "0" * 32, REF + "0", REF.upper(), "sha256-" + "0" * 40):
        assert not blobref.is_blobref(text)
        with pytest.raises(OSError, match="not a blobref"):
            blobref.digest(text)
    with pytest.raises(OSError, match="no such content hash"):
        blobref.BlobHash("md5")
