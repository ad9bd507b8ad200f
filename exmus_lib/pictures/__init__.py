"""Numbers to pictures, without torch."""
