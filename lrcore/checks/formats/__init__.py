"""The formats that logs have, and what their digits tell."""
