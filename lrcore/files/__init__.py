"""Files: text formats, the reader of schedule files, and their JSON Schema."""
