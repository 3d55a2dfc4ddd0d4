"""Pulse, as a worker hears it: what the queue decided of its runs."""
