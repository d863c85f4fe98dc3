"""The parts of `engine.draw`: from a graph to boxes, a picture as data, a layout, and SVG."""
