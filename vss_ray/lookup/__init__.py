"""Questions that need a network of their own to be understood: a picture, or words. No Ray."""
