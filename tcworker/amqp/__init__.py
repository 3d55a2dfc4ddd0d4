"""AMQP 0-9-1, as far as a worker and the Taskcluster inside share it: addresses, connections, connecting again."""
