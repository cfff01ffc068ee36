"""The commands of ``conformance``, one a module.

A module has ``HELP`` (one line), ``arguments`` (adds its options to a parser) and ``main`` (runs the command; returns
the exit code). A command that passes its arguments on to another program has ``PASSES_ON = True``, and its ``main``
receives them unparsed. A failure is a :class:`CommandError`: one line on standard error and exit code 2.
"""

from __future__ import annotations


class CommandError(Exception):
    """The command cannot be carried out; the message is one line for the user."""
