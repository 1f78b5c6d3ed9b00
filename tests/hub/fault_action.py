"""What a fault does: one small class per kind of misbehaviour.

A class's fields are the parameters of the JSON form: `{"kind": "reset", "after": 1000}` is
`Reset(after=1000)`. Offsets called `after` count bytes of the response's body, and a negative
one counts from its end.
"""

from __future__ import annotations

from .exchange import Exchange
from .wire import Response


class Action:
    """A misbehaviour. Subclasses override the one step of the exchange that they spoil."""

    def prepare(self, exchange: Exchange) -> None:
        """Before the request is handled."""

    def replace(self, exchange: Exchange) -> Response | None:
        """An answer instead of handling the request at all."""
        return None

    def alter(self, exchange: Exchange, response: Response) -> None:
        """After the request was handled, before anything is sent."""
