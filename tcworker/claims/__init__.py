"""Claims: tasks are asked for while there is room, begun, given back, and settled after a worker that died."""
