"""Faults in the C code of PyTensor, with and without a BLAS."""

from planting import Edit

from planted.places import NEW, OLD, fault
from refdot.cases.notation import dot_case

__all__ = ["FAULTS"]

BLAS = "pytensor.tensor.blas"
ON_C = {"backend": "c"}
ON_BLAS = {"backend": "c-blas", "lowering": "inlined"}
MATRICES = dot_case("a? b?", "b? c?")
BATCHED = dot_case("a:3? b? c?", "a:3? c? d?", "c")


def text(new_place: str, old_place: str, old: str, new: str) -> tuple[Edit, ...]:
    """Edit a text of C code, which has a place of its own in each version."""
    return Edit(f"{BLAS}.{new_place}", old, new, NEW), Edit(f"{BLAS}{old_place}", old, new, OLD)


def gemm(precision: str, old: str, new: str) -> tuple[Edit, ...]:
    """Edit the calls of BLAS that multiply two matrices of a precision."""
    new_place = f"c_code.codegen:_CASE_{precision.upper()}_GEMM"
    return text(new_place, f":GemmRelated.case_{precision}_gemm", old, new)


def batch_gemm(old: str, new: str) -> tuple[Edit, ...]:
    """Edit the calls of BLAS that multiply batches of matrices."""
    return text("batched:BATCH_GEMM", ":BatchedDot.c_support_code", old, new)


def gemv(old: str, new: str) -> tuple[Edit, ...]:
    """Edit the calls of BLAS that multiply a matrix and a vector."""
    return text("c_code.codegen:gemv_c_code", "_c:gemv_c_code", old, new)


# In each: name, aspect and example; then the edit: where, old and new. Formatted by hand.
# fmt: off
FAULTS = [
    # --- without a BLAS
    fault("C adds the factors of an elementwise product", "values", dot_case("a?", "a?", ()),
          "pytensor.scalar.basic:Mul.c_code", 'op = " * "', 'op = " + "', **ON_C),
    fault("C combines bools by or", "values", dot_case("a?", "a?", (), dtypes="bool"),
          "pytensor.scalar.basic:Mul.c_code", 'op = " && "', 'op = " || "', **ON_C),
    fault("C multiplies what it should sum", "values", dot_case("a? b?", "c?", "b"),
          "pytensor.scalar.basic:Add.c_code", 'op = " + "', 'op = " * "', **ON_C),
    fault("C multiplies complex numbers without a sign", "values",
          dot_case("a?", "a?", (), dtypes="complex128"),
          "pytensor.scalar.basic:ScalarType.c_support_code",
          "get_real(y) - get_imag(*this) * get_imag(y)",
          "get_real(y) + get_imag(*this) * get_imag(y)", **ON_C),
    fault("C casts through single precision", "values",
          dot_case("a? b? c?", "a? c? d?", "c", dtypes=("int64", "float64"), regime="rounding"),
          "pytensor.scalar.basic:Cast.c_code", "{x};", "(float){x};",
          lowering="inlined", **ON_C),
    fault("C accepts a declared size that is wrong", "errors", dot_case("a:3? b?", "a:1 b", "b"),
          "pytensor.tensor.shape:SpecifyShape.c_code", "[{i}] != shp", "[{i}] != shp && 0", **ON_C),
    fault("C leaves out assertions", "errors", dot_case("a:2? b:3?", "a:3? b:2?"),
          "pytensor.raise_op:CheckAndRaise.c_code", "if(!({all_conds}))", "if(0)", **ON_C),
    # --- with a BLAS
    fault("BLAS multiplies the transpose of x", "values", MATRICES,
          *gemm("double", "case 0x000: dgemm_(&N, &N", "case 0x000: dgemm_(&N, &T"), **ON_BLAS),
    fault("BLAS takes y in Fortran order for C order", "values",
          dot_case("a? d?", "e? d?"),
          *gemm("double", "case 0x010: dgemm_(&T, &N", "case 0x010: dgemm_(&N, &N"), **ON_BLAS),
    fault("BLAS multiplies the transpose of a float32 matrix", "values",
          dot_case("d? b?", "b? c?", dtypes="float32"),
          *gemm("float", "case 0x000: sgemm_(&N, &N", "case 0x000: sgemm_(&N, &T"), **ON_BLAS),
    fault("BLAS leaves out the last term of a product", "values", MATRICES,
          *gemm("double", "Nx1 = Nx[1];", "Nx1 = Nx[1] > 1 ? Nx[1] - 1 : Nx[1];"), **ON_BLAS),
    fault("BLAS doubles a product", "values", MATRICES,
          *text("c_code.codegen:_DOT22_CASE_DOUBLE_AB_CONSTANTS", ":Dot22.case_double_ab_constants",
                "double a = 1.0;", "double a = 2.0;"), **ON_BLAS),
    fault("BLAS multiplies the last of a batch as the one before", "values", BATCHED,
          *batch_gemm("x += Sx[0]", "if (i + 2 < Nz[0]) x += Sx[0]"), **ON_BLAS),
    fault("BLAS multiplies each of a batch by the first", "values", BATCHED,
          *batch_gemm("y += Sy[0] / type_size;", ""), **ON_BLAS),
    fault("BLAS accepts batches of other sizes", "errors",
          dot_case("a:2? b? c?", "a:3? c? d?", "c"),
          *batch_gemm("if (Nx[0] != Ny[0])", "if (0)"), **ON_BLAS),
    fault("a BLAS takes columns of the first of two transposed matrices for its rows",
          "values", dot_case("a:3? b:4? c:5?", "a:3? d:2? b:4?", "b"),
          *batch_gemm("&sy_2, x, &sx_2, &b, z, &sz_1); break;\n                    case 0x001",
                      "&sy_2, x, &sx_1, &b, z, &sz_1); break;\n                    case 0x001"),
          **ON_BLAS),
    fault("a BLAS takes columns of float32 with gaps between them for contiguous ones", "values",
          dot_case("b:4? a:3?", "b:4?", dtypes="float32", layout=("slice", "c")),
          *gemv("sgemv_(&NOTRANS, &NA0, &NA1,\n                        &alpha,\n"
                "                        (float*)(A_data), &SA1,",
                "sgemv_(&NOTRANS, &NA0, &NA1,\n                        &alpha,\n"
                "                        (float*)(A_data), &NA0,"), **ON_BLAS),
    fault("BLAS multiplies a reversed vector forwards", "values",
          dot_case("a? b?", "b?", layout=("c", "reversed")),
          *gemv("x_data += (NA1 - 1) * Sx;", ";"), **ON_BLAS),
]
# fmt: on
