"""One file per operator. Rows are pushed from sources to the sink."""
