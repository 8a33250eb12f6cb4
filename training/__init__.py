"""Training: data that anyone can regenerate, losses, recipes and evaluation."""
