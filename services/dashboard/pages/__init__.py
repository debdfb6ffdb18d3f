"""One page per file; each has ``render``, which draws the page's title and starts its fragments."""
