"""One module per architecture family: torchvision's own classes, at any width."""
