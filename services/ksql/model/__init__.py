"""Data that the packages exchange: types, schemas, expressions and plans. No behaviour lives here."""
