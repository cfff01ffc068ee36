"""Captures the requests of real clients: ``python -m tools.capture --install DIR`` writes
``scenarios/captured/*.json``.

DIR contains the pinned clients, as installed by ``conformance clients --install DIR``: an environment ``venv`` by
``conformance/clients/requirements.txt`` and ``node_modules`` by ``conformance/clients/package.json``. Each client has
the same short conversation, a question that needs a tool and the follow-up, with an endpoint on loopback that records
the requests and responds like the built-in endpoint without validation. Data of the machine and of the time is replaced
by placeholders, and the client's prose by other words of the same lengths (``prose``), so that a second capture of the
same versions writes the same files. The model is omitted, as a run adds the target's. ``shingles.txt`` contains digests
of the replaced texts: a test searches the repository for them.
"""
