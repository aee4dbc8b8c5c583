"""What ``vss benchmark`` measures: parts that each run alone, figures that add up in one JSON document.

``parts`` lists them. A part takes ``settings`` and gives a ``Result``; ``document`` keeps results with their machine
and command; ``tables``, ``compare`` and ``readme`` show them.
"""
