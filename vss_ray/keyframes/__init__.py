"""Which frames the network sees."""
