"""The pool at home in web frameworks and beside other tools; each needs its extra."""
