"""What is shown: widgets that draw a state."""
