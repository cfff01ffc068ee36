"""Traffic that others made, judged by the rules that need no scenario."""
