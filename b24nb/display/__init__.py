"""What a reader sees: HTML, charts, code in other languages, explanations of errors."""
