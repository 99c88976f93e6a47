"""The auditor: tries to catch a model, a corpus or a file of predictions that leaks.

It finds mistakes and cheats that act while it looks. A model written to behave under audit, or one whose file holds the
answers for a corpus that the audit is not given, passes: no audit replaces reading the model's source.
"""
