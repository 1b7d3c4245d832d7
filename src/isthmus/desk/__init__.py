"""What is done with incidents on record: read what came in, carry them on, take analysts' words, show them."""
