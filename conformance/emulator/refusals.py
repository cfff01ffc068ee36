"""The refusals of the service: `code` is always a string, `param` contains the reason."""

from __future__ import annotations

from .shapes import Refusal, phrase


class Refused(Exception):
    """Raised during validation, with the refusal to send."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.members.get("message"))
        self.refusal = refusal


def bad_parameter(where: str, why: str) -> Refused:
    """400: the parameter at `where` (a path such as `input[0].role`) is invalid for the reason `why`."""
    return Refused(of(400, "Param Incorrect", f"{where} {why}", "invalid_request_error"))


def bad_body(why: str) -> Refused:
    """400: the body cannot be parsed."""
    return Refused(of(400, "Param Incorrect", f"request body {why}", "invalid_request_error"))


def unsupported(where: str, what: str) -> Refused:
    """400: a feature of OpenAI's API which this service does not have."""
    message = f"{what} is not supported by the Responses API"
    members = {"message": message, "param": where, "type": "unsupported_feature"}
    return Refused(Refusal(400, {"code": "responses_feature_not_supported", **members}))


def of(status: int, message: str, param: str, kind: str) -> Refusal:
    """A refusal whose code is the status as a string."""
    return Refusal(status, {"message": message, "param": param, "code": str(status), "type": kind})


#: 429: too many requests.
LIMITED = of(429, "Too many requests", "", "limitation")


def not_found(path: str) -> Refusal:
    """404: unknown path."""
    return of(404, f"{phrase(404)}: there is no such endpoint", path, "not_found")


def wrong_method(allowed: str) -> Refusal:
    """405, naming the one method that works."""
    refusal = of(405, f"{phrase(405)}: use {allowed}", "method", "invalid_request_error")
    return Refusal(refusal.status, refusal.members, (("Allow", allowed),))


def encoded() -> Refusal:
    """415: a compressed body; by RFC 9110 12.5.3 the response lists the supported codings."""
    refusal = of(415, f"{phrase(415)}: the body must not be compressed", "Content-Encoding", "invalid_request_error")
    return Refusal(refusal.status, refusal.members, (("Accept-Encoding", "identity"),))
