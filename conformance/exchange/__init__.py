"""Frozen records of requests and responses, the run directory that stores them, and the redaction of credentials."""
