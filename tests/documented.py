"""What is public is explained."""

import inspect


def check_documented(module):
    """Look at every public name of a module, and at the methods of its classes."""
    for name in module.__all__:
        value = getattr(module, name)
        if inspect.isclass(value):
            assert value.__doc__, name
            for member, function in inspect.getmembers(value, inspect.isfunction):
                ours = function.__module__.startswith("healthyroster_async")
                if ours and not member.startswith("_"):
                    assert inspect.getdoc(function), f"{name}.{member}"
