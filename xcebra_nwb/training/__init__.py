"""Train the encoders of sessions: device, memory, checkpoint and files, done once for every way of training."""
