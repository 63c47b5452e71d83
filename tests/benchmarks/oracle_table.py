"""Compare the oracle with the fastest way to compute the same dot in NumPy, as a table.

The ways are `np.einsum`, with and without `optimize`, `np.tensordot` and `np.matmul`; the last two
get operands that are summed, transposed and reshaped as they need it. The times are those of the
process, which other processes do not disturb. Run it on one thread:

    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python tests/benchmarks/oracle_table.py [WORD]...

Only the rows with every WORD in their names are run.
"""

import sys
from math import prod
from time import process_time

import numpy as np

import refdot as rd

# The dims of x and y with their sizes, `dim`, the dtypes, and the share of values that are not 0.
# Integers are small, unless the dtype is followed by "!": then they have the whole range.
DOTS = {
    "matrices": ("a400 b400", "b400 c400", None, "float64"),
    "matrices, float32": ("a400 b400", "b400 c400", None, "float32"),
    "matrices, float16": ("a200 b200", "b200 c200", None, "float16"),
    "matrices, complex128": ("a200 b200", "b200 c200", None, "complex128"),
    "matrices, longdouble": ("a100 b100", "b100 c100", None, "longdouble"),
    "matrices, bool": ("a400 b400", "b400 c400", None, "bool"),
    "matrices, sparse bool": ("a400 b400", "b400 c400", None, "bool", 0.01),
    "matrices, int8": ("a200 b200", "b200 c200", None, "int8"),
    "matrices, int8, whole range": ("a200 b200", "b200 c200", None, "int8!"),
    "matrices, int64": ("a200 b200", "b200 c200", None, "int64"),
    "matrices, int64, whole range": ("a200 b200", "b200 c200", None, "int64!"),
    "matrices, uint32, whole range": ("a200 b200", "b200 c200", None, "uint32!"),
    "matrices, int32 by float64": ("a400 b400", "b400 c400", None, "int32 float64"),
    "matrices, float32 by float64": ("a400 b400", "b400 c400", None, "float32 float64"),
    "matrices, complex128 by float64": ("a200 b200", "b200 c200", None, "complex128 float64"),
    "matrices, int8 by int64": ("a200 b200", "b200 c200", None, "int8 int64"),
    "matrices, bool by float32": ("a400 b400", "b400 c400", None, "bool float32"),
    "matrices, float16 by int8": ("a200 b200", "b200 c200", None, "float16 int8"),
    "summed in x": ("a500 b500", "b500 c500", "ab", "float64"),
    "summed in x, int64": ("a500 b500", "b500 c500", "ab", "int64"),
    "summed in x, float16": ("a200 b200", "b200 c200", "ab", "float16"),
    "summed in x, bool": ("a200 b200", "b200 c200", "ab", "bool"),
    "x summed, y kept": ("a500 b500", "c500", "ab", "float64"),
    "vectors, x summed, float16": ("a1000", "b1000", "a", "float16"),
    "all dims": ("a500 b500", "b500 c500", ..., "float64"),
    "all dims, int64": ("a500 b500", "b500 c500", ..., "int64"),
    "inner product": ("a500 b500", "a500 b500", None, "float64"),
    "inner product, transposed": ("a500 b500", "b500 a500", None, "float64"),
    "inner product, int64, transposed": ("a500 b500", "b500 a500", None, "int64"),
    "vectors": ("a1000000", "a1000000", None, "float64"),
    "vectors, int8": ("a1000000", "a1000000", None, "int8"),
    "vectors, bool": ("a100000", "a100000", None, "bool", 0.01),
    "vectors, float16": ("a100000", "a100000", None, "float16"),
    "vectors, float32 by float64": ("a100000", "a100000", None, "float32 float64"),
    "matrix by vector": ("a1000 b1000", "b1000", None, "float64"),
    "vector by matrix": ("a1000", "a1000 b1000", None, "float64"),
    "vector by matrix, int32": ("a1000", "a1000 b1000", None, "int32"),
    "outer product": ("a1000", "b1000", None, "float64"),
    "outer product, int8": ("a1000", "b1000", None, "int8"),
    "outer product, float32 by float64": ("a1000", "b1000", None, "float32 float64"),
    "scale": ("a1000 b1000", "", None, "float64"),
    "rows times a vector": ("a1000 b1000", "a1000", (), "float64"),
    "elementwise": ("a1000 b1000", "a1000 b1000", (), "float64"),
    "elementwise, transposed, complex64": ("a500 b500", "b500 a500", (), "complex64"),
    "dots of rows": ("a1000 b1000", "a1000 b1000", "b", "float64"),
    "dots of columns": ("a1000 b1000", "a1000 b1000", "a", "float64"),
    "dots of columns, int16": ("a1000 b1000", "a1000 b1000", "a", "int16"),
    "attention scores": ("n4 h4 q128 e32", "n4 h4 k128 e32", "e", "float64"),
    "attention scores, batch last": ("q64 e32 n16", "k64 e32 n16", "e", "float64"),
    "many small matrices": ("n10000 a3 b3", "n10000 b3 c3", "b", "float64"),
    "many small matrices, int64": ("n10000 a3 b3", "n10000 b3 c3", "b", "int64"),
    "many small matrices by vectors": ("n10000 a3 b3", "n10000 b3", "b", "float64"),
    "many dims": ("a9 b10 c11 d12", "c11 e8 a9 f7", None, "float64"),
    "many dims, int32": ("a9 b10 c11 d12", "c11 e8 a9 f7", None, "int32"),
    "long and thin": ("a3 b100000", "b100000 c2", None, "float64"),
    "flat": ("a1000 b2", "b2 c1000", None, "float64"),
    "flat, int64": ("a1000 b2", "b2 c1000", None, "int64"),
    "tiny": ("a2 b3", "b3", None, "float64"),
    "tiny, int64": ("a2 b3", "b3", None, "int64"),
    "tiny matrices": ("a2 b3", "b3 c4", None, "float64"),
    "tiny matrices, bool": ("a2 b3", "b3 c4", None, "bool"),
    "tiny matrices, float32 by float64": ("a2 b3", "b3 c4", None, "float32 float64"),
    "tiny vectors": ("a3", "a3", None, "float64"),
    "tiny outer product": ("a3", "b2", None, "float64"),
    "tiny batch": ("n2 a3 b4", "n2 b4", "b", "float64"),
    "tiny, summed in x": ("a2 b3", "b3", "ab", "float64"),
    "scalars": ("", "", None, "float64"),
}


def operands(x_dims, y_dims, dtypes, density=1.0):
    """Return two tensors of random numbers."""
    random, (x_dtype, *rest) = np.random.default_rng(7), dtypes.split()

    def operand(dims, dtype):
        names = [dim[0] for dim in dims.split()]
        shape = [int(dim[1:]) for dim in dims.split()]
        real = np.dtype(dtype.rstrip("!"))
        if dtype.endswith("!"):
            limits = np.iinfo(real)
            values = random.integers(limits.min, limits.max, shape, real, endpoint=True)
        elif real.kind == "b":
            values = random.random(shape) < density * 0.5
        else:
            values = random.integers(0 if real.kind == "u" else -3, 4, shape)
        return rd.NamedTensor(np.asarray(values, real), names)

    return operand(x_dims, x_dtype), operand(y_dims, rest[0] if rest else x_dtype)


def in_numpy(low, x, y):
    """Return the ways to compute a dot in NumPy, by name."""
    sizes = dict(zip(low.x_dims + low.y_dims, x.shape + y.shape, strict=True))
    dtype = np.result_type(x, y)

    def summed(operand, dims, alone):
        if not alone:
            return operand, dims
        axes = tuple(map(dims.index, alone))
        return operand.sum(axes, dtype=dtype), tuple(dim for dim in dims if dim not in alone)

    def arranged(product, dims):
        return product.reshape([sizes[dim] for dim in dims]).transpose(
            [dims.index(dim) for dim in low.out_dims]
        )

    def tensordot():
        (one, one_dims), (other, other_dims) = (
            summed(x, low.x_dims, low.x_summed),
            summed(y, low.y_dims, low.y_summed),
        )
        axes = [[dims.index(dim) for dim in low.contracted] for dims in (one_dims, other_dims)]
        return arranged(np.tensordot(one, other, axes), low.x_free + low.y_free)

    def matmul():
        def matrices(operand, dims, rows, columns):
            batch = [sizes[dim] for dim in low.batch]
            extents = [prod(sizes[dim] for dim in group) for group in (rows, columns)]
            order = [dims.index(dim) for dim in low.batch + rows + columns]
            return operand.transpose(order).reshape(*batch, *extents)

        product = np.matmul(
            matrices(*summed(x, low.x_dims, low.x_summed), low.x_free, low.contracted),
            matrices(*summed(y, low.y_dims, low.y_summed), low.contracted, low.y_free),
        )
        return arranged(product, low.batch + low.x_free + low.y_free)

    def plain_matmul():
        return np.matmul(x, y)

    ways = {
        "einsum": lambda: np.einsum(low.subscripts, x, y),
        "einsum optimize": lambda: np.einsum(low.subscripts, x, y, optimize=True),
        "matmul": matmul,
    }
    if not low.batch:
        ways["tensordot"] = tensordot
    if low.subscripts in ("ab,b->a", "ab,bc->ac", "a,a->", "a,ab->b", "abc,acd->abd"):
        ways["matmul"] = plain_matmul
    return ways


def seconds(calls, budget=0.25):
    """Return the least time of each call, of alternating measurements."""
    counts, best = {}, {}
    for name, call in calls.items():
        start = process_time()
        call()
        start = process_time()
        call()
        once = process_time() - start
        best[name] = once
        counts[name] = max(1, int(1e-3 / max(once, 1e-7)))
    slowest = 50 * min(best.values())  # those are measured once
    deadline = process_time() + budget * len(calls)
    for round_number in range(1000):
        if round_number > 2 and process_time() > deadline:
            break
        for name, call in calls.items():
            if best[name] > max(slowest, 1e-2):
                continue
            start = process_time()
            for _ in range(counts[name]):
                call()
            best[name] = min(best[name], (process_time() - start) / counts[name])
    return best


def main(words):
    """Print a row for each dot: the times, the fastest way in NumPy, and the ratio."""
    print(f"{'dot':<36}{'refdot µs':>12}{'NumPy µs':>12}{'ratio':>8}  NumPy's fastest")
    for name, (x_dims, y_dims, dim, *numbers) in DOTS.items():
        if not all(word in name for word in words):
            continue
        x, y = operands(x_dims, y_dims, *numbers)
        dim = tuple(dim) if isinstance(dim, str) else dim
        low = rd.lower_dot(x.dims, y.dims, dim)
        calls = in_numpy(low, x.data, y.data)
        found = seconds({"refdot": lambda x=x, y=y, dim=dim: rd.dot(x, y, dim)} | calls)
        ours = found.pop("refdot")
        fastest = min(found, key=found.get)
        times = f"{ours * 1e6:12.1f}{found[fastest] * 1e6:12.1f}{ours / found[fastest]:8.2f}"
        print(f"{name:<36}{times}  {fastest}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
