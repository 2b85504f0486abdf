"""The classes of the tutorial: the only objects of the package whose state changes."""
