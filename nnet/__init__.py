"""The network: configuration, data, encoders, poolings, losses, training, extraction.

The contracts of the parts that a network is made of are in ``nnet.parts``, the network in ``nnet.model``.
Torch is imported only by what computes with it: ``nnet.config``, ``nnet.training.schedules``, and the option tables of
``nnet.encoders``, ``nnet.pooling``, ``nnet.losses``, ``nnet.augment`` and ``nnet.training.optimizer_options`` load
without it, so that a shell step reads a config in 0.1 s.
"""
