"""The commands of ``conformance``, one a module.

A module has ``HELP`` (one line), ``arguments`` (adds its options to a parser) and ``main`` (does it; returns the exit
code). One that hands its words to another program has ``PASSES_ON = True``, and ``main`` gets the words as they are.
What cannot be done is a :class:`CommandError`: one line at standard error, and exit code 2.
"""

from __future__ import annotations


class CommandError(Exception):
    """What was asked cannot be done; the message is one line for the person who asked."""
