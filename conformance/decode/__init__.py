"""Pure functions from recorded bytes to frames, events, lifecycle violations and sums."""
