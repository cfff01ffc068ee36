"""Settings of the suite's own tests."""

from hypothesis import settings

# A loaded machine is slow, which is no finding.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")
