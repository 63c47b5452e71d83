"""Faults at limits: of letters and axes, and of the blocks in which a kernel computes."""

from planting import Edit

from planted.places import BATCHED, BATCHED_DOT, LOWER, SUM, fault, product
from refdot.cases.notation import dot_case

__all__ = ["FAULTS"]

LETTERS = "zip(all_dims, ascii_lowercase)"
TOO_MANY = "len(all_dims) > len(ascii_lowercase)"


def ones(first: int, last: int) -> str:
    """Return dims of size 1 in the notation of cases, by their numbers."""
    return " ".join(f"p{number}:1?" for number in range(first, last))


def then(statement: str) -> str:
    """Return a matrix product out, after a statement that changes it."""
    return f"(lambda out: [{statement}, out][1])(np.matmul(x, y))"


def other_letters(old: str, count: int) -> tuple[Edit, Edit]:
    """Let the lowering take other letters, so many that no dims are too many."""
    return (
        Edit(LOWER, TOO_MANY, f"len(all_dims) > {count}"),
        Edit(LOWER, LETTERS, f"zip(all_dims, {old})"),
    )


UPPERCASE = "__import__('string').ascii_uppercase"

# In each: name, aspect and example; then the edit: where, old and new. Formatted by hand.
# fmt: off
FAULTS = [
    # --- letters
    fault("26 dims are too many", "values", dot_case(f"a? {ones(0, 12)}", f"a? {ones(12, 25)}"),
          LOWER, TOO_MANY, "len(all_dims) >= len(ascii_lowercase)"),
    fault("the 26th dim has the letter of the first", "values",
          dot_case(f"a? {ones(0, 12)}", f"{ones(12, 24)} b? a?", ()),
          LOWER, LETTERS, "zip(all_dims, ascii_lowercase[:25] + 'a')"),
    fault("letters repeat after the 26th dim", "values",
          dot_case(f"a? b? {ones(0, 12)}", f"{ones(12, 24)} c? b?"),
          *other_letters("2 * ascii_lowercase", 52)),
    fault("the 27th dim has no letter", "values",
          dot_case(f"a? b? {ones(0, 12)}", f"{ones(12, 24)} c? b?"),
          *other_letters("ascii_lowercase", 52)),
    fault("uppercase letters begin at B", "values",
          dot_case(f"{ones(0, 26)} a? b? c?", f"{ones(26, 49)} b?", "b"),
          *other_letters(f"ascii_lowercase + {UPPERCASE}[1:]", 52)),
    fault("the 53rd dim has no letter", "values",
          dot_case(f"a? b? {ones(0, 25)}", f"b? c? {ones(25, 50)}"),
          *other_letters(f"ascii_lowercase + {UPPERCASE}", 99)),
    fault("letters repeat after the 52nd dim", "values",
          dot_case(f"a? b? {ones(0, 25)}", f"{ones(25, 50)} c? b?"),
          *other_letters(f"2 * (ascii_lowercase + {UPPERCASE})", 99)),
    fault("an operand of more than 16 dims is not transposed", "values",
          dot_case(f"a? d? {ones(0, 16)}", "d? b?"),
          LOWER, "y_tensor = tensor_from_xtensor(y)",
          "y_tensor = tensor_from_xtensor(y); x_tensor = x_tensor.transpose("
          "[1, 0, *range(2, x_tensor.ndim)]) if x_tensor.ndim > 16 else x_tensor"),
    # --- sizes
    fault("the eighth column is the seventh", "values", dot_case("a? b?", "b? c:8?"),
          *product(then("out[..., 7:8].__setitem__(..., out[..., 6:7])"
                        " if out.shape[-1] >= 8 else 0"))),
    fault("rows after the 127th are 0", "values", dot_case("a:130? b?", "b? c?"),
          *product(then("out[..., 127:, :].fill(0)"))),
    fault("a product ends after 256 terms", "values", dot_case("a? b:257?", "b:257? c?"),
          *product("np.matmul(x[..., :256], y[..., :256, :])")),
    fault("a product ends after 1024 terms", "values", dot_case("a? b:1025?", "b:1025? c?"),
          *product("np.matmul(x[..., :1024], y[..., :1024, :])")),
    fault("a product ends after 4096 terms", "values", dot_case("a? b:4097?", "b:4097? c?"),
          *product("np.matmul(x[..., :4096], y[..., :4096, :])")),
    fault("a product ends after 32767 terms", "values", dot_case("a:1? b:32768?", "b:32768?"),
          *product("np.matmul(x[..., :32767], y[..., :32767, :])")),
    fault("a batch ends after 1024", "values",
          dot_case("a:1025? b:2? c:2?", "a:1025? c:2? d?", "c"),
          BATCHED_DOT, "np.matmul(x, y)", then("out[1024:].fill(0)"), lowering="inlined"),
    fault("a vector has at most 1024 elements", "values", dot_case("a:1030? b?", "b?"),
          *product(then("out[..., 1024:, :].fill(0) or out[..., 1024:].fill(0)"))),
    fault("a sum ends after 1024 terms", "values", dot_case("a:1025?", "b?", ("a",)),
          SUM, "input = np.array(input, dtype=acc_dtype)",
          "input = np.array(input, dtype=acc_dtype); input.reshape(-1)[1024:] = 0"),
    fault("an elementwise product ends after 1024 elements", "values", dot_case("a:1025?", "", ()),
          "pytensor.tensor.elemwise:Elemwise.perform", "if nout == 1:",
          "if variables.size > 1024 and variables.flags.c_contiguous and variables.flags.owndata:\n"
          "            variables.reshape(-1)[1024:] = 0\n        if nout == 1:"),
    fault("a product of 100 and more terms is summed in single precision", "values",
          dot_case("a? b:130?", "b:130? c?", regime="rounding"),
          *product("np.matmul(x, y.astype(np.float32)"
                   " if y.dtype == float and y.shape[-2] >= 100 else y)")),
    fault("a long sum has the precision of float16", "values",
          dot_case("a:130?", "", "a", dtypes="float32", regime="rounding"),
          SUM, "input = np.array(input, dtype=acc_dtype)",
          "input = np.array(input, dtype=acc_dtype); input = input.astype('float16')"
          ".astype(acc_dtype) if input.size > 100 and out_dtype == 'float32' else input"),
    fault("two large batches are multiplied in the order of the second", "values", BATCHED,
          BATCHED_DOT, "np.matmul(x, y)", "np.matmul(x, y)[::-1]", lowering="inlined"),
]
# fmt: on
