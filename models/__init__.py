"""Audio in, networks, checkpoints, and the encoder that turns speech, images and texts into vectors of one space."""
