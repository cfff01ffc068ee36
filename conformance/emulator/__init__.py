"""The built-in endpoint: an independent stand-in for the service, right by default and wrong on demand.

It shares no code with the rest of the suite, for a judge and a defendant who share code share mistakes.
"""

from .endpoint import Endpoint
from .server import Server, serve
from .shapes import Reply
from .twist import Context, Twist, combine

__all__ = ["Context", "Endpoint", "Reply", "Server", "Twist", "combine", "serve"]
