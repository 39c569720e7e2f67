"""Who may connect, as whom, and what a client may say of itself (RFC 12)."""

from errno import EINVAL, EPERM

import pytest

from flux.modules.api.access import roles, service_name, stamp
from flux.wire.message import LOCAL, OWNER, UNKNOWN, USER, Event, Request, Response

ME, GUEST, ROOT = 1000, 2000, 0


def of(uid: int, *, guest: bool = False, root: bool = False) -> int:
    return roles(uid, ME, allow_guest=guest, allow_root=root)


def test_the_owner_is_the_owner() -> None:
    assert of(ME) == of(ME, guest=True) == OWNER | LOCAL


@pytest.mark.parametrize("uid", [GUEST, ROOT])
def test_others_may_not_connect_unless_the_instance_says_so(uid: int) -> None:
    with pytest.raises(OSError, match=f"user {uid} may not connect to this instance") as caught:
        of(uid)
    assert caught.value.errno == EPERM
    assert of(uid, guest=True) == USER | LOCAL


def test_root_may_be_an_owner() -> None:
    assert of(ROOT, root=True) == OWNER | LOCAL
    with pytest.raises(OSError, match="may not connect"):
        of(GUEST, root=True)


def test_a_session_of_root_has_root_for_its_owner() -> None:
    assert roles(0, 0, allow_guest=False, allow_root=False) == OWNER | LOCAL


def test_what_the_owner_leaves_unsaid_is_filled_in() -> None:
    msg = Request(topic="a.b")
    stamp(msg, ME, OWNER | LOCAL)
    assert (msg.userid, msg.rolemask) == (ME, OWNER | LOCAL)


def test_the_owner_may_speak_for_others() -> None:
    msg = Request(GUEST, USER, topic="a.b", route=(b"for", b"somebody"))
    stamp(msg, ME, OWNER | LOCAL)
    assert (msg.userid, msg.rolemask, msg.route) == (GUEST, USER | LOCAL, (b"for", b"somebody"))


@pytest.mark.parametrize(
    "msg", [Request(ME, OWNER, topic="a.b"), Event(ME, OWNER, topic="a.b"), Response(UNKNOWN, 0, topic="a.b")]
)
def test_a_guest_speaks_for_itself_alone(msg: Request | Event | Response) -> None:
    stamp(msg, GUEST, USER | LOCAL)
    assert (msg.userid, msg.rolemask) == (GUEST, USER | LOCAL)


def test_a_guests_request_comes_from_nobody_else() -> None:
    msg = Request(topic="a.b", route=(b"somebody else",))
    stamp(msg, GUEST, USER | LOCAL)
    assert msg.route == ()


def test_a_service_name_is_one_word() -> None:
    service_name("mine", ME, OWNER)
    for name in ("", "a.b"):
        with pytest.raises(OSError, match="is not a service name") as caught:
            service_name(name, ME, OWNER)
        assert caught.value.errno == EINVAL


def test_a_guests_services_bear_its_number() -> None:
    service_name("2000-mine", GUEST, USER)
    for name in ("kvs", "2000", "20000-mine", "1000-mine"):
        with pytest.raises(OSError, match=f"service {name}: a guest's services are named 2000-NAME") as caught:
            service_name(name, GUEST, USER)
        assert caught.value.errno == EPERM
