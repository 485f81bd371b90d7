"""The training loop."""


class Trainer:
    """compile, fit, evaluate, predict."""
