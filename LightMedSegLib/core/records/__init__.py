"""Limits in the type hints of records, by which storage/records.py reads frozen dataclasses from files."""
