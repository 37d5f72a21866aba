"""Timing, counting, growth, profiles, and their statistics. This part knows `show` only."""
