"""The worker-manager: pools, their workers, and how a worker gets its credentials."""
