"""How a network is executed: pixels in, probabilities out."""
