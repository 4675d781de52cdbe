"""One module per figure and table; each arranges exhibits on paper and computes nothing."""
