"""From recorded bytes to frames, events, lifecycle violations and sums; pure functions all."""
