"""What tasks can ask for beyond commands, one module each."""
