"""The networks: configuration, data, encoders, pooling, losses, training, extraction."""
