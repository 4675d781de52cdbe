"""Evoscope: watch concepts form inside vision networks while they train.

The library follows what flows through it:
images -> a network at several epochs -> neurons and their stimuli -> a space -> evolutions -> evidence.
Nothing in here knows Hydra, prints, or picks a path by itself: paths and progress reporters come in as arguments.
"""

__version__ = "0.1.0"
