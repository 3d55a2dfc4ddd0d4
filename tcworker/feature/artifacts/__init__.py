"""What a task leaves behind: read from the payload, found, named and published, each artifact once."""
