"""One streaming pass over an image pool: what excites each neuron, and how healthy and selective it is.

``scan`` runs the pass (`evoscope.activations.scan.activation_pass`); ``reductions`` holds what the hooks and the
batches reduce maps to; ``stimuli`` is the artefact of the pass, with the scores of neurons against known concepts;
``patches`` cuts example pictures.
"""
