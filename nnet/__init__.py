"""The network: configuration, data, encoders, poolings, losses, training, extraction.

Torch is imported only where something is computed with it: ``nnet.config``, ``nnet.training.schedules`` and the
option tables of ``nnet.encoders``, ``nnet.pooling`` and ``nnet.losses`` start without it,
so that a shell step reads a config in 0.1 s.
"""
