"""resource: what the instance has, and who may use it now. Rank 0 knows; the others tell it what they have."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from errno import EBUSY, EINVAL, ENODATA, ENOENT, EPROTO
from typing import Any, ClassVar

import msgspec

from flux.base import eventlog, treeobj
from flux.base.config import Config
from flux.base.eventlog import Entry
from flux.base.idset import IDset
from flux.base.rset import ResourceSet
from flux.modules.resource import inventory
from flux.modules.resource.drains import FORCE, MODES, OVERWRITE, Drains, context
from flux.runtime.resourcefile import read
from flux.service import LATER, Call, Later, Service, request
from flux.service.kit import LOG_ERR, LOG_INFO
from flux.service.kvswriter import KvsWriter
from flux.wire.message import USER

LOG = "resource.eventlog"
ONLINE, TORPID = "broker.online", "broker.torpid"
KEPT = ("resource-define", "resource-update", "drain", "undrain")
"""The events that are in the key-value store, too."""


class Resource(Service):
    """The inventory, drained and excluded ranks, and the acquisition protocol (RFC 28)."""

    name: ClassVar[str] = "resource"

    async def start(self) -> None:
        """Tells what this machine has; on rank 0 also begins to collect."""
        self._resources: ResourceSet | None = None
        self._known: ResourceSet | None = None
        """What was the inventory before a restart: it is written down already."""
        self._drains = Drains()
        self._members: dict[str, IDset] = {ONLINE: IDset(), TORPID: IDset()}
        self._waiting: list[Call] = []
        self._acquirer: Call | None = None
        self._told_up = IDset()
        self._events: list[Entry] = []
        self._journals: list[Call] = []
        self._waits: list[tuple[int, Call]] = []
        self._method = ""
        self._writer = KvsWriter(self)
        if self.host.rank == 0:
            await self._resume()
            for group in (ONLINE, TORPID):
                self.run(self._follow(group))
        machine = self.host.port("machine")()
        self.contribute("inventory", {str(self.host.rank): [self.host.hostname, *machine]})

    async def stop(self) -> None:
        """What was drained is written down."""
        await self._writer.end()

    def configured(self, config: Config) -> None:
        """Reads `[resource]` and `[fake-resources]`."""
        table = config.table("resource")
        self._config = config
        self._excluded_text = table.text("exclude")
        self._norestrict = table.flag("norestrict")
        fake = config.table("fake-resources")
        self._fake = inventory.faked(fake, self.host.size)

    def merge(self, key: str, values: Iterable[Any]) -> Any:
        """Inventories become one."""
        return inventory.merged(values)

    def reduced(self, key: str, value: Any) -> None:
        """On rank 0: what is known so far. It is the inventory once all are in it."""
        if self._resources is not None:
            return
        if self._fake is not None:
            self._define(self._fake, "fake")
        elif len(value) == self.host.size:
            found = inventory.found(value)
            if "config" in self._config.values.get("resource", {}):
                table = self._config.table("resource")
                self._define(inventory.configured(table, self.host.size, found.hosts), "configuration")
            else:
                self._define(found, "dynamic-discovery")

    # -- who asks ---------------------------------------------------------------------------------------------------

    @request()
    def acquire(self, call: Call) -> Later:
        """Gives a scheduler all that may be used, and tells it of what changes."""
        if not call.request.streaming:
            raise OSError(EPROTO, "resource.acquire needs a streaming request")
        if self._acquirer is not None:
            raise OSError(EBUSY, "resources are already acquired")
        self._acquirer = call
        call.on_close = self._released
        if self._resources is not None:
            self._begin_acquisition()
        return LATER

    @request()
    def acquire_mute(self, call: Call) -> None:
        """Tells the scheduler nothing more: the instance ends."""
        self._acquirer = None

    @request(allow=USER)
    def status(self, call: Call) -> dict[str, Any] | Later:
        """All resources, and what is to be said of the nodes."""
        if self._resources is None:
            self._waiting.append(call)
            return LATER
        online = self._online
        return {
            "R": self._resources.encode(),
            "drain": self._drains.described(),
            "online": online.encode(),
            "offline": self._resources.ids.difference(online).encode(),
            "exclude": self._excluded.encode(),
            "torpid": self._members[TORPID].encode(),
        }

    @request(allow=USER)
    async def sched_status(self, call: Call) -> dict[str, Any]:
        """What a scheduler sees: all, what is down, what is allocated."""
        usable = self._usable()
        up = self._up()
        down = usable.restricted(rank for rank in usable.ranks if rank not in up)
        try:
            allocated = (await self.rpc("job-manager.resource-status"))["allocated"]
        except OSError:
            allocated = None
        return {"all": usable.encode(), "down": down.encode(), "allocated": allocated or ResourceSet().encode()}

    @request()
    def get(self, call: Call) -> dict[str, Any]:
        """The resource set, and where it is from."""
        if self._resources is None:
            raise OSError(ENOENT, "resources are not known yet")
        return {"R": self._resources.encode(), "method": self._method}

    @request()
    def drain(self, call: Call, *, targets: str, reason: str | None = None, mode: str | None = None) -> None:
        """Takes ranks out of service: what runs there goes on, nothing new comes."""
        ranks = self._drains.to_drain(self._targets(targets), reason, mode)
        if ranks:
            overwrite = {OVERWRITE: 1, FORCE: 2}.get(MODES[mode], 0)
            self._post("drain", context(ranks, self._hosts, [("reason", reason), ("overwrite", overwrite)]))
            self._tell_scheduler()

    @request()
    def undrain(self, call: Call, *, targets: str, reason: str | None = None, mode: str | None = None) -> None:
        """Puts ranks back into service."""
        ranks = self._drains.to_undrain(self._targets(targets), mode)
        if ranks:
            self._post("undrain", context(ranks, self._hosts, [("reason", reason)]))
            self._tell_scheduler()

    @request()
    def expiration_update(self, call: Call, *, expiration: float) -> None:
        """The instance ends at another time."""
        self._update(expiration)

    @request()
    def reload(self, call: Call, *, path: str, xml: bool = False, force: bool = False) -> None:
        """Takes another resource set, as JSON, from a file on rank 0."""
        if xml:
            raise OSError(EINVAL, "hwloc XML is not supported: give R as JSON")
        made = read(path)
        if self._resources is not None and self._acquirer is not None:
            raise OSError(EBUSY, "resources are in use: unload the scheduler first")
        if not force and self.host.size < len(made.ranks):
            raise OSError(EINVAL, f"R has {len(made.ranks)} ranks, the instance {self.host.size}")
        self._define(made, "reload")

    @request()
    def monitor_waitup(self, call: Call, *, up: int) -> Later | None:
        """Answers when so many brokers are online."""
        if up > self.host.size:
            raise OSError(EINVAL, "up value is out of range")
        if self._online.count() >= up:
            return None
        self._waits.append((up, call))
        return LATER

    @request()
    def monitor_force_down(self, call: Call, *, ranks: str) -> None:
        """Counts ranks as down until they come online again."""
        self._members[ONLINE] = self._members[ONLINE].difference(ranks)
        self._tell_scheduler()

    @request()
    def journal(self, call: Call) -> Later:
        """All events so far, then those that come (RFC 44)."""
        if not call.request.streaming:
            raise OSError(EPROTO, "resource.journal needs a streaming request")
        told: dict[str, Any] = {"events": self._events}
        if self._resources is not None:
            told["R"] = self._resources.encode()
        call.respond(told)
        call.respond({"events": []})
        self._journals.append(call)
        call.on_close = lambda: self._journals.remove(call)
        return LATER

    # -- what there is ----------------------------------------------------------------------------------------------

    def _define(self, resources: ResourceSet, method: str) -> None:
        self._resources, self._method = resources, method
        if resources != self._known:
            self._put("resource.R", resources.encode())
            self._post("resource-define", {"method": method})
        self.log(LOG_INFO, f"{len(resources.ranks)} nodes, {resources.count('core')} cores ({method})")
        waiting, self._waiting = self._waiting, []
        for call in waiting:
            self.serve(call.request)
        if self._acquirer is not None:
            self._begin_acquisition()

    def _update(self, expiration: float) -> None:
        if self._resources is not None:
            self._resources = replace(self._resources, expiration=expiration)
        self._post("resource-update", {"expiration": expiration})
        if self._acquirer is not None:
            self._acquirer.respond({"expiration": expiration})

    @property
    def _hosts(self) -> dict[int, str]:
        return dict(self._resources.hosts) if self._resources is not None else {}

    @property
    def _online(self) -> IDset:
        if self._fake is not None:
            return self._fake.ids
        return self._members[ONLINE]

    @property
    def _excluded(self) -> IDset:
        if not self._excluded_text or self._resources is None:
            return IDset()
        try:
            return inventory.targets(self._excluded_text, self._resources)
        except ValueError:
            return IDset()

    def _usable(self) -> ResourceSet:
        """All but what is excluded."""
        if self._resources is None:
            return ResourceSet()
        excluded = self._excluded
        return self._resources.restricted(rank for rank in self._resources.ranks if rank not in excluded)

    def _up(self) -> IDset:
        """The usable ranks that may be given to new jobs."""
        online = self._online
        usable = self._usable().ranks
        return IDset([rank for rank in usable if rank in online and rank not in self._drains])

    def _targets(self, text: str) -> IDset:
        if self._resources is None:
            raise OSError(ENOENT, "resources are not known yet")
        try:
            return inventory.targets(text, self._resources)
        except ValueError as error:
            raise OSError(EINVAL, str(error)) from None

    # -- the scheduler ----------------------------------------------------------------------------------------------

    def _begin_acquisition(self) -> None:
        assert self._acquirer is not None
        self._told_up = self._up()
        self._acquirer.respond({"resources": self._usable().encode(), "up": self._told_up.encode()})

    def _tell_scheduler(self) -> None:
        if self._acquirer is None or self._resources is None:
            return
        up = self._up()
        told: dict[str, Any] = {}
        for key, ranks in (("up", up.difference(self._told_up)), ("down", self._told_up.difference(up))):
            if ranks:
                told[key] = ranks.encode()
        self._told_up = up
        if told:
            self._acquirer.respond(told)

    def _released(self) -> None:
        self._acquirer = None

    async def _follow(self, group: str) -> None:
        """Who is online, and who is slow."""
        try:
            async for answer in self.stream("groups.get", {"name": group}, nodeid=0):
                self._changed(group, IDset(answer["members"]))
        except OSError as error:
            if error.errno != ENODATA:
                self.log(LOG_ERR, f"{group}: {error.strerror}")

    def _changed(self, group: str, members: IDset) -> None:
        before, self._members[group] = self._members[group], members
        come, gone = members.difference(before), before.difference(members)
        for name, ranks in zip(
            ("online", "offline") if group == ONLINE else ("torpid", "lively"), (come, gone), strict=True
        ):
            if ranks:
                self._post(name, {"idset": ranks.encode()})
        if group == ONLINE:
            self._tell_scheduler()
            self._answer_waits()

    def _answer_waits(self) -> None:
        count = self._online.count()
        for up, call in [wait for wait in self._waits if wait[0] <= count]:
            self._waits.remove((up, call))
            call.respond()

    # -- events -----------------------------------------------------------------------------------------------------

    async def _resume(self) -> None:
        """Ranks that were drained before a restart are so still."""
        text, known = await self._kept(LOG), await self._kept("resource.R")
        entries = eventlog.decode(text)
        with suppress(ValueError, msgspec.MsgspecError):
            self._known = ResourceSet.parse(msgspec.json.decode(known))
        for event in entries:
            if event["name"] in ("drain", "undrain"):
                self._drains.apply(event["name"], event.get("context", {}), event["timestamp"])
        self._events = entries
        self._post("restart", {"ranks": f"0-{self.host.size - 1}" if self.host.size > 1 else "0", "online": ""})

    async def _kept(self, key: str) -> bytes:
        """What was written down before a restart."""
        try:
            found = await self.rpc("kvs.lookup", {"key": key, "flags": 0, "namespace": "primary"})
        except OSError:
            return b""
        return treeobj.value_of(found["val"])

    def _post(self, name: str, told: dict[str, Any]) -> None:
        event = eventlog.entry(self.host.wall(), name, told)
        self._events.append(event)
        if name in ("drain", "undrain"):
            self._drains.apply(name, told, event["timestamp"])
        if name in KEPT:
            self._writer.writes.line(LOG, eventlog.encode(event).encode())
            self._writer.soon(hurry=True)
        for call in self._journals:
            call.respond({"events": [event]})

    def _put(self, key: str, value: Any) -> None:
        self._writer.writes.put(key, msgspec.json.encode(value))
        self._writer.soon(hurry=True)
