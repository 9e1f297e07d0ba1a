"""How the server says no: a status, one line for people, never a path or a trace."""

from collections.abc import Mapping


class Refusal(Exception):
    """An answer that is not the one asked for.

    Attributes:
        status: of HTTP.
        message: one line: what was wrong, what is allowed.
        headers: such as Retry-After.
    """

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.headers = status, message, dict(headers or {})


class Busy(Refusal):
    """More queries than the server can hold: come again in a second."""

    def __init__(self) -> None:
        super().__init__(503, "too many queries at once: try again in a moment", {"Retry-After": "1"})


def clip(text: str, most: int = 60) -> str:
    """Shorten what a client sent before it is said back."""
    return text if len(text) <= most else f"{text[:most]}…"
