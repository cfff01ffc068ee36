"""Both sides of a proxy: the suite is its client and its upstream at once, and compares what each sent and received.

The flow: :mod:`~conformance.proxy.probes` defines the requests and the responses of the upstream,
:mod:`~conformance.proxy.run` sends them and records both sides (:mod:`~conformance.proxy.records`), and
:mod:`~conformance.proxy.evaluation` applies the rules of the area ``proxy``, as pure functions of these records.
"""

#: The dialects of an upstream.
DIALECTS = ("responses", "chat")
