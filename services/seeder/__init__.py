"""The seeder: makes the users of the pipeline in the relational database, and keeps them changing when asked to."""
