"""Where a message goes next."""

from errno import EHOSTUNREACH, ENOSYS

from flux.overlay.router import Router, most_hops
from flux.overlay.routes import Claim
from flux.wire.message import ANY, NORESPONSE, UPSTREAM, Request, Response, respond

PARENT, CHILD, OTHER, SERVICE, CLIENT = b"parent", b"child", b"other", b"service", b"client"


def router() -> Router:
    """Rank 1 of a session: its parent is rank 0, ranks 3 and 7 are behind a child, rank 4 behind another."""
    made = Router(1)
    made.parent = PARENT
    made.register("kvs", SERVICE)
    made.routes.claim(CHILD, [Claim(3, "c", 1), Claim(7, "d", 1)])
    made.routes.claim(OTHER, [Claim(4, "e", 1)])
    for hop in (PARENT, CHILD, OTHER, CLIENT):
        made.pending.watch(hop)
    return made


def root() -> Router:
    made = Router(0)
    made.register("kvs", SERVICE)
    return made


def asking(topic: str = "kvs.get", nodeid: int = ANY, flags: int = 0) -> Request:
    return Request(topic=topic, nodeid=nodeid, flags=flags, matchtag=5)


def hops(steps: list[tuple[bytes, Request | Response]]) -> list[bytes]:
    return [hop for hop, _ in steps]


def refused(steps: list[tuple[bytes, Request | Response]]) -> tuple[bytes, int, str]:
    ((hop, msg),) = steps
    assert isinstance(msg, Response)
    return hop, msg.errnum, msg.text()


def test_a_request_for_anybody_stops_where_the_service_is() -> None:
    assert hops(router().request(asking(), CLIENT)) == [SERVICE]


def test_a_request_for_anybody_goes_up_where_the_service_is_not() -> None:
    assert hops(router().request(asking("job.list"), CLIENT)) == [PARENT]


def test_an_unknown_service_is_refused_at_the_root() -> None:
    text = "No service matching job.list is registered"
    assert refused(root().request(asking("job.list"), CLIENT)) == (CLIENT, ENOSYS, text)


def test_a_request_for_a_rank_goes_where_that_rank_was_claimed() -> None:
    assert hops(router().request(asking(nodeid=7), CLIENT)) == [CHILD]
    assert hops(router().request(asking(nodeid=4), CHILD)) == [OTHER]
    assert hops(router().request(asking(nodeid=1), CHILD)) == [SERVICE]


def test_a_request_for_a_rank_that_nobody_claims_goes_up_and_ends_at_the_root() -> None:
    assert hops(router().request(asking(nodeid=9), CHILD)) == [PARENT]
    assert refused(root().request(asking(nodeid=9), CLIENT)) == (CLIENT, EHOSTUNREACH, "")


def test_a_request_for_this_rank_does_not_go_up() -> None:
    assert refused(router().request(asking("job.list", nodeid=1), CHILD))[:2] == (CHILD, ENOSYS)


def test_a_request_for_upstream_passes_the_service_on_its_own_rank() -> None:
    assert hops(router().request(asking(nodeid=1, flags=UPSTREAM), SERVICE)) == [PARENT]


def test_a_request_for_upstream_stops_at_the_next_rank_that_has_the_service() -> None:
    assert hops(router().request(asking(nodeid=3, flags=UPSTREAM), CHILD)) == [SERVICE]


def test_there_is_nothing_upstream_of_the_root() -> None:
    assert refused(root().request(asking(nodeid=0, flags=UPSTREAM), CLIENT))[:2] == (CLIENT, EHOSTUNREACH)


def test_every_hop_puts_its_address_on_the_route() -> None:
    request = asking(nodeid=7)
    request.route = (b"sender",)
    ((_, sent),) = router().request(request, OTHER)
    assert isinstance(sent, Request)
    assert sent.route == (OTHER, b"sender")
    assert sent.sender == b"sender"


def test_a_response_goes_back_the_way_its_request_came() -> None:
    made = router()
    ((_, sent),) = made.request(Request(topic="kvs.get", nodeid=7, matchtag=5, route=(b"sender",)), OTHER)
    assert isinstance(sent, Request)
    ((hop, answer),) = made.response(respond(sent), CHILD)
    assert hop == OTHER
    assert answer.route == (b"sender",)
    assert made.pending.count(CHILD) == 0


def test_a_response_that_nobody_asked_that_hop_for_ends_here() -> None:
    made = router()
    forged = Response(topic="kvs.get", matchtag=5, route=(CLIENT,))
    assert made.response(forged, CHILD) == []


def test_a_response_without_a_route_ends_here() -> None:
    assert router().response(Response(topic="kvs.get", matchtag=5), CHILD) == []


def test_who_wants_no_answer_is_not_refused() -> None:
    assert root().request(asking("job.list", flags=NORESPONSE), CLIENT) == []


def test_a_request_that_goes_in_circles_ends() -> None:
    request = asking(nodeid=7)
    request.route = (b"x",) * most_hops(1)
    assert refused(router().request(request, OTHER))[:2] == (OTHER, EHOSTUNREACH)


def test_a_lost_hop_leaves_no_route_no_service_and_nobody_waiting() -> None:
    made = router()
    made.register("mine", CHILD)
    made.request(asking(nodeid=7), CLIENT)
    made.request(asking(nodeid=3), OTHER)
    lost = made.lost(CHILD)
    assert hops(lost) == [CLIENT, OTHER]
    assert {msg.errnum for _, msg in lost if isinstance(msg, Response)} == {EHOSTUNREACH}
    assert (made.routes.link(7), made.routes.link(4), made.owner("mine")) == (None, OTHER, None)
    assert made.lost(CHILD) == []


def test_who_is_lost_waits_for_nothing() -> None:
    made = router()
    made.request(asking(nodeid=7), CLIENT)
    made.lost(CLIENT)
    assert made.pending.count(CHILD) == 0


def test_a_lost_parent_is_the_parent_no_more() -> None:
    made = router()
    made.request(asking("job.list"), CLIENT)
    assert refused(made.lost(PARENT))[:2] == (CLIENT, EHOSTUNREACH)
    assert made.parent is None


def test_a_disconnect_on_its_way_ends_the_waiting_for_that_service() -> None:
    made = router()
    made.request(Request(topic="job.list", matchtag=5), CLIENT)
    made.request(Request(topic="sched.list", matchtag=6), CLIENT)
    assert hops(made.request(Request(topic="job.disconnect", flags=NORESPONSE), CLIENT)) == [PARENT]
    assert made.pending.count(PARENT) == 1


def test_a_service_name_has_one_owner() -> None:
    made = router()
    assert made.owner("kvs") == SERVICE
    assert not made.register("kvs", CLIENT)
    assert made.register("kvs", SERVICE)
    assert not made.unregister("kvs", CLIENT)
    assert made.unregister("kvs", SERVICE)
    assert made.owner("kvs") is None
    assert made.register("kvs", CLIENT)
