"""The command line, a thin coat: parse, call one function, render."""
