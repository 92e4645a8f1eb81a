"""The names and habits of other packages, over Headrace's engine."""
