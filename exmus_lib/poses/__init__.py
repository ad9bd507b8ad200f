"""Joints instead of pixels: what BlazePose finds in videos, and what it would find of rendered movements."""
