"""Tests of the worker-manager."""
