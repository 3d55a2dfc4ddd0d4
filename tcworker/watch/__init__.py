"""What watches over a worker: its reactor, its clocks, its process and its machine."""
