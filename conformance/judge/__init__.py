"""From recorded exchanges to verdicts: the registry of checks, where each applies, findings and verdicts."""
