"""Pages of HTML with sliders, for a class; each loads nothing from elsewhere."""
