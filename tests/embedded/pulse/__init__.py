"""Tests of pulse."""
