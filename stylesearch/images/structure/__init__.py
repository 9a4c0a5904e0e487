"""Looks at how a file of a picture is built, before a decoder opens it: nothing in it may be without end."""
