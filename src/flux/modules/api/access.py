"""Who may connect to a broker, and with which roles (RFC 12). Pure."""

from errno import EINVAL, EPERM

from flux.wire.message import LOCAL, OWNER, UNKNOWN, USER, Message, Request


def roles(uid: int, owner: int, *, allow_guest: bool, allow_root: bool) -> int:
    """The roles of a peer by its user id. OSError(EPERM) for who may not connect."""
    if uid == owner or (uid == 0 and allow_root):
        return OWNER | LOCAL
    if allow_guest:
        return USER | LOCAL
    raise OSError(EPERM, f"user {uid} may not connect to this instance")


def service_name(name: str, userid: int, rolemask: int) -> None:
    """Refuses a name that this client may not serve: OSError(EINVAL, EPERM). A guest's names begin with its user id."""
    if not name or "." in name:
        raise OSError(EINVAL, f"'{name}' is not a service name")
    if not rolemask & OWNER and not name.startswith(f"{userid}-"):
        raise OSError(EPERM, f"service {name}: a guest's services are named {userid}-NAME")


def stamp(msg: Message, userid: int, rolemask: int) -> None:
    """Fills in who sends. The owner may speak for others, so only what is unset; a guest speaks for itself alone.

    A guest's request has no route: by one, it could pass for another sender."""
    if not rolemask & OWNER:
        msg.userid, msg.rolemask = userid, rolemask
        if isinstance(msg, Request):
            msg.route = ()
        return
    if msg.userid == UNKNOWN:
        msg.userid = userid
    if msg.rolemask == 0:
        msg.rolemask = rolemask
    msg.rolemask |= LOCAL
