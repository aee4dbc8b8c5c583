"""How labels reach the frames between keyframes."""
