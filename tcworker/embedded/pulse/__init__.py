"""Pulse: what happened, told to an AMQP broker."""
