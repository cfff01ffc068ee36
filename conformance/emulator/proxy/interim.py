"""Responses of ``http.client`` without the interim ones (1xx) that can precede them: RFC 9110, 15.2."""

from __future__ import annotations

import http.client


class FinalResponse(http.client.HTTPResponse):
    """The final response: ``http.client`` skips 100 alone, not 102 and 103."""

    def begin(self) -> None:
        super().begin()
        while 102 <= self.status < 200:
            self.headers = self.msg = None  # type: ignore[assignment]
            super().begin()
