"""One page per file; each has ``render``, which starts the page's fragments. The title is drawn before, by ``app``."""
