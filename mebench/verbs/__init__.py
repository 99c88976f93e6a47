"""The command line's verbs by theme: thin functions that load what they need when called."""
