"""What happens: field values become frozen states. No widgets, no HTML."""
