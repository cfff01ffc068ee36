"""The results of a run: the file, root causes, score, baseline, comparison, history."""
