"""What each command of `brickgrad` does; `nn.cli` reads the line that was typed."""
