"""Networks whose neurons have names: torchvision's classifiers at any width, or a user's own module."""
