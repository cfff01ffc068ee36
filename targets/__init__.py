"""The targets of this repository: endpoints of the nightly runs, and third-party servers that ``python -m targets``
installs, starts on loopback and checks, with a table of the results. See docs/servers.md."""
