"""The exercises: the engine, and one module per lesson with its checkers and hints."""
