"""The client lane: real clients, fed the recorded bytes from loopback, end with what was recorded, or say what breaks.

Optional, and no further request to the endpoint. ``table`` lists the clients, ``install`` makes a folder with them,
``server`` answers them from the record, ``drive`` runs them, ``outcome`` keeps what each ended with, ``compare`` sets
it against the record. The programs in ``drivers`` run with the client's own interpreter and import nothing of ours.
"""
