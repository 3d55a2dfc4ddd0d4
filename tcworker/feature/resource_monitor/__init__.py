"""What tasks use of the machine: measured while they run, told in their logs, and kept within what the machine has."""
