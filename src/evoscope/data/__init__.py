"""Labelled images with stable ids, from wherever they come to the batches that a network sees.

``images`` holds the set itself and chooses smaller ones; ``scenes`` draws a set whose concepts are known; ``files``
decodes and inspects image files, ``folder`` opens class-folder trees, ``datasets`` the well-known sets (Imagenette,
ImageWoof, ImageNet, CIFAR-10); ``stamps`` draws confounders on any set; ``loader`` decodes once, keeps bytes in memory
and gives normalised batches; ``tables`` opens tabular data.
"""
