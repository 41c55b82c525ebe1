"""The rules: from returns to the right change. Pure functions over plain data; no I/O."""
