"""The targets of this repository: endpoints for the nights, and third-party servers that ``python -m targets``
installs, starts on loopback, judges and puts side by side. See docs/servers.md."""
