"""One streaming pass over an image pool: what excites each neuron, and how healthy and selective it is.

`streaming.activation_pass` is the way in; ``scan`` says what to take, ``reading`` what happens inside the
hooks, ``topk``, ``statistics`` and ``responsive`` what is kept from batch to batch, ``shards`` what merges
over machines, ``concepts`` what scores neurons against known concepts, and ``stimuli`` the artefact.
"""
