"""One module per experiment: which stages, in which order, on which models and epochs."""
