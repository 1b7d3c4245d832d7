"""Whether an action may be done: by itself, with people's word, or not at all; and whose word counts."""
