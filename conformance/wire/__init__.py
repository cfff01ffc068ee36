"""Sending requests and recording the exchanges."""
