"""The built-in endpoint: an independent implementation of the contract, conformant by default, with faults on request.

It shares no code with the rest of the suite: shared code would have the same mistakes in server and checks.
"""

from .endpoint import Endpoint
from .hooks import Behaviour, Context, combine
from .server import Server, serve
from .service import Service
from .shapes import Reply

__all__ = ["Behaviour", "Context", "Endpoint", "Reply", "Server", "Service", "combine", "serve"]
