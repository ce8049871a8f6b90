"""The options of recorded runs, as their recorder wrote them, in the trainer's own words.

A record's `options` are a shorthand of what the trainer was given. Each module here is named like a file of records
(tests/data/trainers/<name>.jsonl) and has one function, `given(record)`.
"""
