"""A simulated company, its attacks and its noise, in the shapes of real vendors, with ground truth."""
