"""OpenBLAS's sgemm, called straight through ctypes: the system's library (libopenblas0), or the one inside numpy.

usage: openblas_peer.py system|numpy
"""
import array
import ctypes
import ctypes.util
import glob
import os
import random
import sys

from peer_protocol import serve, unavailable

ROW_MAJOR, PLAIN, TRANSPOSED = 101, 111, 112


def load(source):
    """The library, with what stands before and after its function names, and its integer type."""
    if source == "system":
        path = ctypes.util.find_library("openblas")
        return (ctypes.CDLL(path), "", "", ctypes.c_int) if path else unavailable("no system OpenBLAS (libopenblas0)")
    try:
        import numpy
    except ImportError:
        unavailable("no numpy for this python3")
    paths = glob.glob(os.path.join(os.path.dirname(numpy.__file__), "..", "numpy.libs", "libscipy_openblas64_*"))
    return (ctypes.CDLL(paths[0]), "scipy_", "64_", ctypes.c_int64) if paths else unavailable("this numpy brings no OpenBLAS")


library, before, after, integer = load(sys.argv[1])
function = lambda name: getattr(library, before + name + after)
sgemm = function("cblas_sgemm")
sgemm.restype = None
pointer, real = ctypes.c_void_p, ctypes.c_float
sgemm.argtypes = [ctypes.c_int] * 3 + [integer] * 3 + [real, pointer, integer, pointer, integer, real, pointer, integer]
function("openblas_set_num_threads").argtypes = [ctypes.c_int]


def described():
    for name in ("openblas_get_config", "openblas_get_corename"):
        function(name).restype = ctypes.c_char_p
    version = function("openblas_get_config")().decode().split()[1]
    return f"openblas {version} {function('openblas_get_corename')().decode()} ({sys.argv[1]})"


def matrix(rows, columns):
    piece = array.array("f", (random.uniform(-1, 1) for _ in range(min(rows * columns, 4096))))
    return (piece * (rows * columns // len(piece) + 1))[: rows * columns]


def gemm(m, k, n, transpose_a, transpose_b):
    """y [m, n] = op(a) [m, k] op(b) [k, n], row major."""
    a, b, y = matrix(m, k), matrix(k, n), matrix(m, n)
    address = lambda x: x.buffer_info()[0]
    arguments = (ROW_MAJOR, TRANSPOSED if transpose_a else PLAIN, TRANSPOSED if transpose_b else PLAIN, m, n, k, 1.0,
                 address(a), m if transpose_a else k, address(b), k if transpose_b else n, 0.0, address(y), n)

    def run(keep=(a, b, y)):
        sgemm(*arguments)
    return run


def prepare(shape, threads):
    function("openblas_set_num_threads")(threads)
    if shape["op"] == "matmul":
        return gemm(shape["m"], shape["k"], shape["n"], shape.get("transposeA"), shape.get("transposeB"))
    if shape["op"] != "linear":
        return None
    rows, inputs, outputs = shape["rows"], shape["inputs"], shape["outputs"]
    if shape.get("direction") != "backward":
        return gemm(rows, inputs, outputs, False, True)
    gradients = [gemm(rows, outputs, inputs, False, False), gemm(outputs, rows, inputs, True, False)]  # dx = dy w, dw = dy^T x

    def backward():
        for run in gradients:
            run()
    return backward


random.seed(1)
serve(described(), prepare)
