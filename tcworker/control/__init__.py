"""Control calls: what the people and programs of its machine say to a running worker, and ask it."""
