"""Label video to bytes and back."""
