"""What the rooms of the engine hand to one another: types, schemas, expressions and plans. No behaviour lives here."""
