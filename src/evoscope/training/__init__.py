"""Training that leaves a checkpoint per epoch, and survives being killed."""
