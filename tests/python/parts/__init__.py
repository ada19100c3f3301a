"""The parts of `campaign.py`. Each takes `(program, work, is_long, dice)` and returns what it has tried and what was wrong."""
