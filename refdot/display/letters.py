"""The letters that displays give to dims."""

from string import ascii_letters

from refdot.lowering import Lowering, symbols

__all__ = ["letters_of", "subscripts_of"]


def letters_of(lowering: Lowering) -> dict[str, str]:
    """Return a letter for each dim: a dim that is one letter has this letter.

    Examples
    --------
    >>> from refdot.lowering import lower_dot
    >>> letters_of(lower_dot(("batch", "i", "j"), ("j", "a")))
    {'batch': 'b', 'i': 'i', 'j': 'j', 'a': 'a'}
    """
    dims = lowering.all_dims
    own = {dim for dim in dims if len(dim) == 1 and dim in ascii_letters}
    others = (letter for letter in symbols(len(dims) + len(own)) if letter not in own)
    return {dim: dim if dim in own else next(others) for dim in dims}


def subscripts_of(lowering: Lowering) -> str:
    """Return the subscripts of the einsum with these letters.

    Examples
    --------
    >>> from refdot.lowering import lower_dot
    >>> subscripts_of(lower_dot(("i", "j"), ("j", "k")))
    'ij,jk->ik'
    """
    letters = letters_of(lowering)
    groups = lowering.x_dims, lowering.y_dims, lowering.out_dims
    x, y, out = ("".join(letters[dim] for dim in dims) for dims in groups)
    return f"{x},{y}->{out}"
