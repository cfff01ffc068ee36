"""The built-in endpoint: an independent stand-in for the service, right by default and wrong on demand.

It shares no code with the rest of the suite, for a judge and a defendant who share code share mistakes.
"""

from .endpoint import Endpoint
from .hooks import Behaviour, Context, combine
from .server import Server, serve
from .service import Service
from .shapes import Reply

__all__ = ["Behaviour", "Context", "Endpoint", "Reply", "Server", "Service", "combine", "serve"]
