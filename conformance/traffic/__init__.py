"""Captured traffic, evaluated by the rules that need no scenario."""
