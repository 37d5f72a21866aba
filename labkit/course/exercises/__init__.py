"""The exercises of the lessons: the engine, and one module per lesson with its specifications, oracles and hints."""
