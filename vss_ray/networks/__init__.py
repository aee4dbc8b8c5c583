"""Pure torch modules; no weights, and no files but those of ``stored``.

A segmentation network is a module with ``build``, a class of signature ``(num_classes, width)`` with

- ``forward(x)``: logits at a stride of its own; ``forward_with_auxiliary(x)``: the same and, for training, those of its
  auxiliary heads, whose weights in the loss are ``auxiliary_weights``;
- ``mean`` and ``std`` of the pictures it wants, RGB, of pixels from 0 to 255; ``width``, as it was built with;
- ``classifier``: the name of a parameter that has one row a class; ``training_only``: prefixes of the names of
  parameters that serve training only;
- ``deepest``: the module whose output, run with the rest, are the encoder's deepest features (N, E, h, w), of which
  ``embedding`` makes the vector that a picture is found again by; a network without one has no embeddings;
- ``convert(state)``: published weights under its own names, where there are any that fit.

An encoder is a module with ``build``, a class whose ``channels`` are those of its features at strides 4, 8, 16, 32;
it has a ``deepest``, too.
"""
