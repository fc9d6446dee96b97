"""Python code with the types of a document, as texts; nothing is written here."""
