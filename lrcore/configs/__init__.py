"""Configurations of trainers as people have them: files, dicts, namespaces and flags, read without executing anything."""
