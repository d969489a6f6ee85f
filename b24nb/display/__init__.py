"""Displays: HTML, charts, code in other languages, explanations of errors."""
