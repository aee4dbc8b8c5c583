"""Tables of what is in every frame, and the questions they answer."""
