"""What runs in the child: it knows no reactor, and imports little, for each extraction starts it anew."""
