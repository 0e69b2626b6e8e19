"""What the type hints of a record say: storage/records.py reads frozen dataclasses from files by them."""
