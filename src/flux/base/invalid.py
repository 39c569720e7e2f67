"""The error of a text that is not what it should be: EINVAL to who asked a service, ValueError to who called Python."""

from errno import EINVAL


class Invalid(OSError, ValueError):
    """Carries one short text that names the thing."""

    def __init__(self, text: str) -> None:
        super().__init__(EINVAL, text)

    def __str__(self) -> str:
        return str(self.strerror)
