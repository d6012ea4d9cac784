"""The command line: `main`, and one module for each group of commands, which adds them by its `register`.

A module parses, calls and prints. `console`, `reading` and `options` hold what the commands share;
`old_commands` answers command lines of earlier versions with the new ones.
"""
