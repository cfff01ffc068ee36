"""Frozen records: what was sent and received, the run directory that keeps it, and the redaction of credentials."""
