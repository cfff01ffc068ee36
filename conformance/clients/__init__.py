"""Real clients read the recorded responses from a loopback server; their results are compared with the recording.

This is optional, and sends no further request to the endpoint. ``install`` creates a directory with the clients,
``server`` serves the recorded responses, ``drive`` runs the clients, ``differences`` compares their results. The
programs in ``drivers`` run with the client's own interpreter and import nothing of the suite.
"""
