"""Pure functions: frame in, figure out. Nothing here asks anyone anything."""
