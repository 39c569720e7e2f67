"""The kit of a module author: a module is a class, a method is a topic, payload keys are its arguments."""

from flux.service.call import LATER, Call, Later
from flux.service.kit import Service
from flux.service.reduce import OWN, Reduction
from flux.service.requests import Stream
from flux.service.topics import ALL, event, every, request

__all__ = ["ALL", "LATER", "OWN", "Call", "Later", "Reduction", "Service", "Stream", "event", "every", "request"]
