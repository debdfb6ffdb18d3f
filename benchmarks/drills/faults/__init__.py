"""One module per fault, each with ``strike`` and, where a person must do something about it, ``remedy``."""
