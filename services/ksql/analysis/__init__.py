"""AST and catalog to commands and typed plans; errors worded as ksqlDB words them."""
