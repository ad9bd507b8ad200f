"""Run folders to numbers, without torch."""
