"""Speed and memory, against faithful slow versions of the released algorithms."""
