"""What `engine.draw` is made of: from a graph to its outline, its picture, its layout, its text."""
