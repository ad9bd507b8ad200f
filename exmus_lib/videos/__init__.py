"""Raw videos to clips, and clips to what networks see of them."""
