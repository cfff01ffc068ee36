"""What real clients send, captured: ``python -m tools.capture --install DIR`` writes ``scenarios/captured/*.json``.

DIR holds the pinned clients, as ``conformance clients --install DIR`` makes it: an environment ``venv`` by
``conformance/clients/requirements.txt`` and ``node_modules`` by ``conformance/clients/package.json``. Each client has
the same short conversation, a question that takes a tool and the turn that follows, with an endpoint on loopback that
notes what it is sent and answers as the built-in endpoint does, complaining of nothing. What tells of this machine or
this moment is replaced by stand-ins, and the client's prose by words of our own of the same lengths (``prose``), so
that a second capture of the same versions gives the same files; the model's name is left out, for a run puts the
target's there. ``shingles.txt`` keeps digests of the replaced texts: a test searches the repository for them.
"""
