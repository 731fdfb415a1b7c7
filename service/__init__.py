"""From a question to a cited answer, and how people reach it."""
