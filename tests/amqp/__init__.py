"""Tests of what speaks AMQP."""
