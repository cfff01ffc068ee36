"""What was sent and what came back: recorded once, then only read."""
