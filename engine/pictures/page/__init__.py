"""The page that plays a training step: one HTML file, complete in itself."""
