"""The published models trained anew: one recipe for each, and the trainer that all of them share."""
