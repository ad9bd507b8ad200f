"""The built-in data set: rendered people who perform the exercises of the 22 Kaggle folders."""
