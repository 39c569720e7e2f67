"""Flux, the resource manager framework."""


def __getattr__(name: str) -> object:
    if name == "Flux":
        from flux.core.handle import Flux

        return Flux
    raise AttributeError(name)
