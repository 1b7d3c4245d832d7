"""What should be done: the smallest containment first, and the lasting fix fitted to the resource."""
