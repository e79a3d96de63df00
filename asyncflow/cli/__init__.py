"""The command line: one module per group, thin (parse, call an action, print). Imports nothing by itself.

`app` is the root command, `session` how commands reach the server, `output` how lists are printed.
"""
