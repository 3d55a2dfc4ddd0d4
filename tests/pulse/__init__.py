"""Tests of how a worker listens to pulse."""
