"""What do we believe of an incident? Facts first; score, verdict and words are read from the facts alone."""
