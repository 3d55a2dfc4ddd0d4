"""What outlives tasks: caches of theirs, what was downloaded for them, and who throws it away."""
