"""The services that are part of every broker: they show what only the broker itself knows."""

from flux.broker.services.broker import BrokerService
from flux.broker.services.config import ConfigService
from flux.broker.services.event import EventService
from flux.broker.services.overlay import OverlayService
from flux.broker.services.shutdown import ShutdownService
from flux.broker.services.state_machine import StateMachineService

RESIDENT = (BrokerService, ConfigService, EventService, OverlayService, StateMachineService, ShutdownService)

__all__ = ["RESIDENT"]
