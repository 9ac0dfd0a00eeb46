"""The method on arrays and tensors: sampling, encoders, training and maps."""
