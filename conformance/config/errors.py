"""The exception for a setting that cannot be used."""


class Misconfigured(Exception):
    """An invalid setting; the message is one line for the user, and the exit code is 2."""
