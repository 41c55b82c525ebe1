"""What counts as read back, when impact.com moves while it is being read."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import httpx
import pytest

from lab import Lab, action, back

Maker = Callable[..., Lab]


class Between(httpx.BaseTransport):
    """Lets queued writes take effect just before one of the two lists is read."""

    def __init__(self, lab: Lab, listed: str) -> None:
        self._lab = lab
        self._listed = listed
        self._inner = httpx.HTTPTransport()
        self._sent = False

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._sent = self._sent or request.method == "PUT"
        reads = request.method == "GET" and request.url.path.endswith(self._listed)
        if self._sent and reads:
            self._lab.pass_time(seconds=0.7)
        return self._inner.handle_request(request)

    def close(self) -> None:
        self._inner.close()


@pytest.mark.parametrize("listed", ["/ActionUpdates", "/Actions"])
def test_an_effect_between_two_lists_is_booked_with_its_money(lab_of: Maker, listed: str) -> None:
    """A change is confirmed with the payout that it left, not with the one just before it."""
    lab = lab_of([action("O-1")], queue_latency=4.0)
    lab.rows = [back("O-1", "A")]
    (before,) = lab.state().values()
    books = lab.run(client={"transport": Between(lab, listed)})
    (after,) = lab.state().values()
    assert books["changes"]["confirmed"] == 1
    gone = Decimal(before["Payout"]) - Decimal(after["Payout"])
    assert gone > 0
    assert Decimal(books["commission_recovered"]) == gone
