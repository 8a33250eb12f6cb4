"""Live search: speech comes in while it is spoken, and what has been found so far goes back."""
