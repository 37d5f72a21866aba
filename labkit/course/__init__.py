"""What a lesson is made of: claims, guesses, exercises, the workspace, the machine check.

It knows `measure` and `show`.
"""
