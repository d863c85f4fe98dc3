"""What brings the engine into a browser: `python -m web` builds it from the registries."""
