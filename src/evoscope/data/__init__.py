"""Labelled images with stable ids, from wherever they come to the batches that a network sees.

``images`` holds the set itself; ``scenes`` draws one whose concepts are known; ``folder`` opens class-folder
trees (``files`` inspects and reads their images), ``named`` the well-known ones (Imagenette, ImageWoof,
ImageNet) and ``cifar10`` CIFAR-10; ``decode`` turns files into RGB squares or says why it cannot; ``limits``
chooses smaller sets; ``loader`` decodes once, keeps bytes in memory, and gives normalised batches;
``threads`` spreads such work.
"""
