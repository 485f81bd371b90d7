"""Help for tests: the strict stand-in device (``standin``), a pytest plugin and Hypothesis strategies."""
