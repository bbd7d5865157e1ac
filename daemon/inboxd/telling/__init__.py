"""From what was committed to what people and plugins are told of it."""
