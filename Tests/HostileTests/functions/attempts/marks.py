"""What marks a function as an attempt."""


def attempt(function):
    """The function returns pairs: what is tried, and how. The way raises OSError when it is refused; or it returns
    (refused, detail)."""
    function.is_attempt = True
    return function
