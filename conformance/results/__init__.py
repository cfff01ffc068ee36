"""The results of a run as typed records, with root causes, baselines, comparisons, scores and history."""
