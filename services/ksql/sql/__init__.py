"""Text to AST: lexer, grammar, builder, and the way back to text."""
